//! Figures in columns, as people compare them.

/// Rows of cells, the first being their heads, each column as wide as its widest cell: the first and what
/// has no head to the left, figures to the right.
pub fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let is_remark = |column: usize| {
        let head = rows.first().and_then(|heads| heads.get(column));
        head.is_some_and(String::is_empty)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            line += &match column {
                0 => format!("{cell:width$}"),
                _ if is_remark(column) => format!("{gap}{cell:width$}"),
                _ => format!("{gap}{cell:>width$}"),
            };
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// A share in percent; `-` of nothing.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{share:.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let rows = [
            row(&["rule", "n", ""]),
            row(&["é", "100", ""]),
            row(&["LONGER", "7", "x y"]),
        ];
        assert_eq!(columns(&rows), "rule      n\né       100\nLONGER    7  x y\n");
        assert_eq!(columns(&[]), "");
        assert_eq!([percent(None), percent(Some(12.34))], ["-", "12.3"]);
    }
}
