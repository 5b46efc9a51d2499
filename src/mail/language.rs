//! Which languages a text is written in, by its script and by the small words that every sentence has.
//!
//! Enters: rendered text. Leaves: codes of ISO 639-1, the one that most is written in first. Looks at the beginning of a
//! long text only. Where a text has too few such words nothing is said. Knows nothing of what the text says.

use foldhash::HashMap;
use std::sync::LazyLock;

/// Bytes of a text that are looked at.
const TEXT_BYTES: usize = 64 << 10;
/// Fewer small words than this may be in the text by chance.
const WORDS_MIN: u32 = 3;
/// Letters of a script from which on the text is written in it too.
const LETTERS_MIN: u32 = 12;

/// Small words by language. Those of several languages count for each of them by a part.
#[rustfmt::skip]
const SMALL_WORDS: &[(&str, &str)] = &[
    ("en", "the and of to in is you that it for on are with as be at this have from or by not but your we will can our they has been would there their please if about which when what all"),
    ("cy", "yr yn ac ar gan gyda ei eich chi fod bod mae ydy yw oes nid ddim wedi wnaeth sydd hwn hon hyn bydd gallwch os ond neu am drwy fydd cael rydych rydym ein heb hefyd gyfer sy'n i'r o'r a'r i'ch"),
    ("de", "der die das und ist nicht sie ich wir mit für auf ein eine einen dem den des von zu bei auch wird werden haben hat sind ihr ihre ihren oder wenn aus nach sich wie noch kann zum zur bitte"),
    ("nl", "de het een en van is niet je we met voor op dat die zijn aan te ook uw om naar bij wordt worden hebben heeft deze dit als maar ons onze wij kunt kan door over er nog geen"),
    ("fr", "le la les des et est pas vous nous avec pour sur une un du de que qui dans ce cette votre vos notre sont être avez par plus au aux ou mais si vous leur elle il je ne"),
    ("es", "el la los las y es no que de en un una por para con su sus se del al lo como más pero este esta usted hay ha han son nuestro nuestra tu si o nos le muy está"),
    ("pt", "o a os as e é não que de em um uma por para com seu sua se do da dos das no na nos nas ao à como mais mas este esta você há são nosso nossa foi está pelo pela também seus suas"),
    ("it", "il lo la gli le e è non che di in un una per con suo sua si del della dei delle al alla nel nella come più ma questo questa ha hanno sono nostro nostra anche da vostro o se ci"),
    ("pl", "i w z na do nie się to jest że o jak po ale co za od przez dla lub są być oraz pan pani twoje prosimy przy może ma tym tego"),
    ("ro", "și în de la cu nu este un o pe care pentru din mai sau să se dar ce sunt dumneavoastră noastre acest această ați vă prin a fi"),
    ("sv", "och i att det som en på är av för med till den inte har om ett vi ni du kan eller från ska vara din ditt era vår denna detta när"),
    ("da", "og i at det som en på er af for med til den ikke har om et vi du kan eller fra skal være din dit jeres vores denne dette når der blev"),
    ("nb", "og i at det som en på er av for med til den ikke har om et vi du kan eller fra skal være din ditt deres vår denne dette når ble etter"),
    ("fi", "ja on ei se että en ovat tai kun voit sinun mutta myös tämä olet ole kanssa sekä jos nyt meidän"),
    ("cs", "a v na je se že s z do o pro jako ale by po za tak nebo jsou vaše prosím který být přes není jste"),
    ("hu", "a az és nem hogy is egy ez azt van meg de ha vagy mint csak kell már volt önnek kérjük ön"),
    ("tr", "ve bir bu için ile de da ne olarak daha çok var değil en gibi sizin lütfen kadar veya hesabınız"),
    ("id", "yang dan di ini itu dengan untuk tidak dari dalam akan pada anda kami atau juga ke adalah telah bisa"),
    ("ga", "agus an na ar is go tá do le sé ní mar atá leis bhí ag cuid nó aon féin chun"),
];

/// Which languages a word belongs to, by their places in the table.
static LANGUAGES: LazyLock<HashMap<&'static str, Vec<u8>>> = LazyLock::new(|| {
    let mut words: HashMap<&'static str, Vec<u8>> = HashMap::default();
    for (place, (_, list)) in (0..).zip(SMALL_WORDS) {
        for word in list.split(' ') {
            let languages = words.entry(word).or_default();
            if !languages.contains(&place) {
                languages.push(place);
            }
        }
    }
    words
});

/// What a language has in a text, in sixtieths of a word: a word of several languages is parted among them.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    share: u32,
    /// Words of no other language.
    own: u32,
}

const WHOLE: u32 = 60;

/// Every language that a good part of a text is written in, the most written first.
pub(super) fn languages(text: &str) -> Vec<&'static str> {
    let text = text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or("");
    let mut found: Vec<(&'static str, u32)> = Vec::new();
    let counts = count(text);
    let most = counts.iter().map(|count| count.share).max().unwrap_or(0);
    for (count, (code, _)) in counts.iter().zip(SMALL_WORDS) {
        let is_first = count.share == most && count.share >= WORDS_MIN * WHOLE;
        // Neighbouring languages share many words; another one has a good few of its own.
        let is_other = count.share * 4 >= most && count.own >= 2 * WORDS_MIN && count.own * WHOLE * 3 >= count.share;
        if is_first || is_other {
            found.push((code, count.share / WHOLE));
        }
    }
    if !text.is_ascii() {
        found.extend(scripts(text));
    }
    found.sort_by_key(|(_, words)| std::cmp::Reverse(*words));
    found.into_iter().map(|(code, _)| code).collect()
}

fn count(text: &str) -> Vec<Count> {
    let mut counts = vec![Count::default(); SMALL_WORDS.len()];
    let mut lower = String::new();
    for word in text.split(|c: char| !(c.is_alphabetic() || matches!(c, '\'' | '\u{2019}'))) {
        // No small word has more letters than the longest of them.
        if word.is_empty() || word.len() > 24 {
            continue;
        }
        lower.clear();
        lower.extend(
            word.chars()
                .flat_map(char::to_lowercase)
                .map(|c| if c == '\u{2019}' { '\'' } else { c }),
        );
        let Some(languages) = LANGUAGES.get(lower.as_str()) else {
            continue;
        };
        let share = WHOLE / u32::try_from(languages.len()).unwrap_or(WHOLE);
        for place in languages {
            if let Some(count) = counts.get_mut(usize::from(*place)) {
                count.share += share;
                count.own += u32::from(languages.len() == 1);
            }
        }
    }
    counts
}

/// Languages that are known by their script, and how many words' worth of letters there are.
fn scripts(text: &str) -> Vec<(&'static str, u32)> {
    const CODES: [&str; 16] = [
        "ru", "uk", "el", "he", "ar", "fa", "ur", "hi", "bn", "pa", "gu", "ta", "th", "ko", "ja", "zh",
    ];
    let mut letters = [0_u32; CODES.len()];
    for c in text.chars().filter(|c| !c.is_ascii()) {
        if let Some(count) = script(c).and_then(|place| letters.get_mut(place)) {
            *count += 1;
        }
    }
    let [russian, ukrainian, _, _, arabic, persian, urdu, .., japanese, chinese] = &mut letters;
    // Letters that one of several languages has decide for it.
    if *ukrainian > 0 {
        *ukrainian += std::mem::take(russian);
    }
    if *urdu > 0 {
        *urdu += std::mem::take(arabic) + std::mem::take(persian);
    } else if *persian > 0 {
        *persian += std::mem::take(arabic);
    }
    if *japanese * 4 > *chinese {
        *japanese += std::mem::take(chinese);
    }
    let enough = CODES
        .into_iter()
        .zip(letters)
        .filter(|(_, count)| *count >= LETTERS_MIN);
    enough.map(|(code, count)| (code, count / 4)).collect()
}

fn script(c: char) -> Option<usize> {
    Some(match c {
        'і' | 'ї' | 'є' | 'ґ' | 'І' | 'Ї' | 'Є' | 'Ґ' => 1,
        '\u{400}'..='\u{4ff}' => 0,
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => 2,
        '\u{590}'..='\u{5ff}' => 3,
        'ٹ' | 'ڈ' | 'ڑ' | 'ں' | 'ے' | 'ہ' => 6,
        'پ' | 'چ' | 'ژ' | 'گ' => 5,
        '\u{600}'..='\u{6ff}' => 4,
        '\u{900}'..='\u{97f}' => 7,
        '\u{980}'..='\u{9ff}' => 8,
        '\u{a00}'..='\u{a7f}' => 9,
        '\u{a80}'..='\u{aff}' => 10,
        '\u{b80}'..='\u{bff}' => 11,
        '\u{e00}'..='\u{e7f}' => 12,
        '\u{ac00}'..='\u{d7af}' | '\u{1100}'..='\u{11ff}' => 13,
        '\u{3040}'..='\u{30ff}' => 14,
        '\u{4e00}'..='\u{9fff}' => 15,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told_by_their_small_words() {
        for (text, expected) in [
            (
                "Please find the minutes of the meeting that was held in the hall on Thursday.",
                &["en"][..],
            ),
            (
                "Mae'r cyngor wedi cyhoeddi ei gynllun ac mae ar gael yn y llyfrgell. Os oes gennych gwestiwn, rydym yma.",
                &["cy"],
            ),
            (
                "Bitte finden Sie die Rechnung im Anhang. Wir haben Ihr Konto geprüft und es ist nicht aktiv.",
                &["de"],
            ),
            (
                "Uw pakket is niet bezorgd. Klik op de knop om een nieuwe afspraak te maken met ons.",
                &["nl"],
            ),
            (
                "Votre colis est en attente. Nous vous prions de payer les frais pour la livraison.",
                &["fr"],
            ),
            (
                "Su cuenta no está activa. Por favor confirme los datos para que se pueda usar con nuestro servicio.",
                &["es"],
            ),
            (
                "A sua conta não está ativa. Você tem uma fatura em aberto e os dados foram alterados pela empresa.",
                &["pt"],
            ),
            (
                "Il suo conto non è attivo. Per favore verifichi i dati della carta per non perdere il servizio.",
                &["it"],
            ),
            (
                "Twoje konto nie jest aktywne. Prosimy o kontakt przez stronę, aby nie stracić dostępu do usługi i danych.",
                &["pl"],
            ),
            ("Здравствуйте, ваша посылка ожидает оплаты.", &["ru"]),
            ("Вітаємо, ваша посилка очікує на оплату.", &["uk"]),
            ("您的帐户已被暂停请立即点击链接进行验证", &["zh"]),
            ("お客様のアカウントは停止されました", &["ja"]),
            ("آپ کا اکاؤنٹ معطل کر دیا گیا ہے", &["ur"]),
            ("OK", &[]),
            ("Invoice 1234", &[]),
            ("", &[]),
        ] {
            assert_eq!(languages(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_may_be_in_two_languages() {
        let welsh =
            "Mae'r cyngor wedi cyhoeddi ei gynllun ac mae ar gael yn y llyfrgell. Os oes gennych gwestiwn, rydym yma.";
        let english =
            "The council has published its plan and it is in the library. If you have a question, we are here for you.";
        let both = format!("{welsh}\n{english}");
        let found = languages(&both);
        assert!(
            found.len() == 2 && found.contains(&"cy") && found.contains(&"en"),
            "{found:?}"
        );
    }

    #[test]
    fn only_the_beginning_of_a_long_text_is_looked_at() {
        let german = "Bitte finden Sie die Rechnung im Anhang und zahlen Sie nicht. ";
        let filler = "x".repeat(TEXT_BYTES);
        assert_eq!(languages(&format!("{filler} {german}")), [] as [&str; 0]);
        assert_eq!(languages(&format!("{german} {filler}")), ["de"]);
    }

    #[test]
    fn the_table_has_words_in_lower_case() {
        for (code, list) in SMALL_WORDS {
            assert!(
                code.len() == 2
                    && list
                        .split(' ')
                        .all(|word| !word.is_empty() && word == word.to_lowercase()),
                "{code}"
            );
            assert!(
                list.split(' ').all(|word| LANGUAGES[word].len() <= 8),
                "{code}: a word of everybody says nothing"
            );
        }
    }
}
