//! Whether a style attribute hides its element.
//!
//! Enters: the declarations of a `style` attribute. Leaves: yes or no. Reads declarations, not
//! substrings, so that `DISPLAY : none` counts and `x-display:none` doesn't. Knows nothing of style
//! sheets or colours.

/// Declarations that are looked at.
const DECLARATIONS: usize = 200;

/// Whether nobody sees the text of an element with these declarations.
pub(super) fn hides(style: &str) -> bool {
    style.split(';').take(DECLARATIONS).any(|declaration| {
        declaration
            .split_once(':')
            .is_some_and(|(property, value)| hides_by(property.trim(), value.trim()))
    })
}

/// The size in pixels that a declaration of `property` states.
pub(super) fn pixels(style: &str, property: &str) -> Option<f32> {
    let declarations = style
        .split(';')
        .take(DECLARATIONS)
        .filter_map(|declaration| declaration.split_once(':'));
    let mut values = declarations.filter(|(name, _)| name.trim().eq_ignore_ascii_case(property));
    values.next().and_then(|(_, value)| size(value.trim()))
}

fn hides_by(property: &str, value: &str) -> bool {
    let property = property.to_ascii_lowercase();
    let lower = value.to_ascii_lowercase();
    let value = lower.split('!').next().unwrap_or("").trim();
    match property.as_str() {
        "display" => value == "none",
        "visibility" => matches!(value, "hidden" | "collapse"),
        "mso-hide" => value == "all",
        // A size below one pixel is as unreadable as none.
        "font-size" => size(value).is_some_and(|size| size < 1.0),
        "max-height" | "max-width" | "opacity" => size(value) == Some(0.0),
        "text-indent" => size(value).is_some_and(|size| size <= -500.0),
        _ => false,
    }
}

/// The number before a unit; relative units count as whole sizes, so that `0.9em` isn't taken for
/// less than a pixel.
fn size(value: &str) -> Option<f32> {
    let end = value
        .find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+'))
        .unwrap_or(value.len());
    let (number, unit) = value.split_at_checked(end)?;
    let number: f32 = number.parse().ok()?;
    let scale = match unit.trim() {
        "em" | "rem" | "ex" | "ch" | "vw" | "vh" | "in" | "cm" | "pc" => 16.0,
        "%" => 0.16,
        _ => 1.0,
    };
    Some(number * scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_parsed() {
        for (style, expected) in [
            ("display:none", true),
            ("color: red; DISPLAY : none !important", true),
            ("visibility:hidden", true),
            ("font-size:0", true),
            ("font-size: 0px", true),
            ("font-size:0.1px", true),
            ("font-size:0.9em", false),
            ("font-size:80%", false),
            ("font-size:12px", false),
            ("opacity:0", true),
            ("opacity:0.5", false),
            ("max-height:0;overflow:hidden", true),
            ("max-height:10px", false),
            ("text-indent:-9999px", true),
            ("x-display:none", false),
            ("display:block", false),
            ("", false),
        ] {
            assert_eq!(hides(style), expected, "{style}");
        }
    }
}
