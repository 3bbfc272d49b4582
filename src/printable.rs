//! Texts out of files as errors show them: on one line.

/// `text` on one line and not too long to print: control characters escaped, at most 60 characters.
pub fn printable(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut line = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == LONGEST {
            line.push('…');
            break;
        }
        push_on_one_line(&mut line, character);
    }
    line
}

/// The same at full length: a file's name, or what a library says of its content.
pub fn printable_name(name: &str) -> String {
    let mut line = String::new();
    name.chars().for_each(|character| push_on_one_line(&mut line, character));
    line
}

/// Ends of lines and paragraphs, and what turns the direction of writing: a line with them looks like another one.
fn is_layout(character: char) -> bool {
    matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn push_on_one_line(line: &mut String, character: char) {
    if character.is_control() || is_layout(character) {
        line.extend(character.escape_debug());
    } else {
        line.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_text_stays_on_one_line_and_short() {
        assert_eq!(printable("a\nb\tc\u{1b}"), "a\\nb\\tc\\u{1b}");
        assert_eq!(printable("température"), "température");
        assert_eq!(printable("a\u{202e}b\u{2028}"), "a\\u{202e}b\\u{2028}");
        assert_eq!(printable(&"x".repeat(5000)).chars().count(), 61);
        assert_eq!(printable_name(&"x".repeat(5000)).len(), 5000);
    }
}
