# The tenant takes mail from the gate alone, and looks at the client behind it.
New-InboundConnector -Name "Portreeve" -ConnectorType Partner -SenderDomains * `
  -RequireTls $true -RestrictDomainsToCertificate $true -TlsSenderCertificateName mx1.example.gov.uk

Set-InboundConnector -Identity "Portreeve" -EFSkipLastIP $true
# Nobody outside may write in the tenant's own names past a connector.
Set-OrganizationConfig -RejectDirectSend $true
