//! A number as people write it: signs, currencies, percent, thousands, and either mark before the fraction.

use super::reading::Decimal;

/// A cell that is a number, taken apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Written<'cell> {
    negative: bool,
    /// Whether a percent sign follows.
    pub percent: bool,
    /// The sign or code of a currency, before or after.
    pub currency: Option<&'cell str>,
    /// Digits with their marks.
    digits: &'cell str,
    exponent: Option<&'cell str>,
    /// What its points and commas can be.
    pub marks: Marks,
}

/// What the points and commas of a number can be. Spaces and apostrophes always separate thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    /// There are none.
    None,
    /// The mark before the fraction is this one.
    Decimal(Decimal),
    /// This mark separates thousands, and there is no fraction.
    Thousands(Decimal),
    /// This mark stands once, with three digits after it, and can be either: `1,234`.
    Either(Decimal),
}

/// Signs and codes of currencies; of two that begin alike the longer one comes first.
const CURRENCIES: &[&str] = &[
    "US$", "HK$", "NT$", "A$", "C$", "R$", "S$", "$", "€", "£", "¥", "₹", "₽", "₩", "₺", "₴", "₪",
    "₫", "₦", "฿", "Kč", "zł", "Rs.", "Rs", "₨", "kr.", "kr", "Fr.", "USD", "EUR", "GBP", "JPY",
    "CHF", "CNY", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "INR", "BRL",
    "KRW", "RUB", "TRY", "ZAR", "MXN", "SGD", "HKD", "ILS",
];

fn is_minus(letter: char) -> bool {
    matches!(letter, '-' | '\u{2212}' | '\u{2012}' | '\u{2013}' | '\u{2011}' | '\u{ff0d}')
}

/// Space, no-break space, narrow no-break space, thin space.
fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}')
}

/// Characters that are not seen: of no width, or marks of the direction and the order of bytes.
fn is_unseen(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

fn separates_thousands(letter: char) -> bool {
    is_space(letter) || matches!(letter, '\'' | '\u{2019}')
}

fn are_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

impl<'cell> Written<'cell> {
    /// Takes a cell apart; none if it is no number in any of the usual forms.
    pub fn of(cell: &'cell str) -> Option<Self> {
        let (mut text, mut sign, mut brackets) = (cell, None, false);
        let (mut percent, mut currency) = (false, None);
        loop {
            text = text.trim_matches(|letter: char| {
                is_space(letter) || letter == '\t' || is_unseen(letter)
            });
            let (first, last) = (text.chars().next()?, text.chars().next_back()?);
            if first.is_ascii_digit() && last.is_ascii_digit() {
                break;
            }
            if sign.is_none() && (is_minus(first) || first == '+') {
                sign = Some(first != '+');
                text = &text[first.len_utf8()..];
            } else if !brackets && first == '(' && last == ')' {
                brackets = true;
                text = &text[1..text.len() - 1];
            } else if !percent && last == '%' {
                percent = true;
                text = &text[..text.len() - 1];
            } else if currency.is_none()
                && let Some((found, rest)) = without_currency(text)
            {
                (currency, text) = (Some(found), rest);
            } else if let Some(price) = without_price_dash(text) {
                text = price;
                break;
            } else if sign.is_none() && is_minus(last) {
                sign = Some(true);
                text = &text[..text.len() - last.len_utf8()];
            } else {
                break;
            }
        }
        if brackets && sign.is_some() || percent && currency.is_some() {
            return None;
        }
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, Some(exponent)),
            None => (text, None),
        };
        let signless =
            |exponent: &str| exponent.trim_start_matches(|c| c == '+' || is_minus(c)).len();
        if let Some(exponent) = exponent {
            let places = signless(exponent);
            let signs = exponent[..exponent.len() - places].chars().count();
            if places == 0 || signs > 1 || !are_digits(&exponent[exponent.len() - places..]) {
                return None;
            }
        }
        let marks = marks(digits, exponent.is_some())?;
        let negative = brackets || sign == Some(true);
        Some(Self { negative, percent, currency, digits, exponent, marks })
    }

    /// Its value where `decimal` is the mark before fractions; infinite if it is too large for 64 bits.
    pub fn value(&self, decimal: Decimal) -> f64 {
        let decimal = match self.marks {
            Marks::Decimal(mark) => mark,
            Marks::Thousands(mark) => mark.other(),
            Marks::None | Marks::Either(_) => decimal,
        };
        let mut text = String::with_capacity(self.digits.len() + 8);
        text.extend(self.negative.then_some('-'));
        for letter in self.digits.chars() {
            if letter.is_ascii_digit() {
                text.push(letter);
            } else if letter == decimal.mark() {
                text.push('.');
            }
        }
        if let Some(exponent) = self.exponent {
            text.push('e');
            text.extend(exponent.chars().map(|letter| if is_minus(letter) { '-' } else { letter }));
        }
        text.parse().expect("digits, at most one point, and an exponent")
    }
}

/// A price without the dash for its cents, as in `3000.-` and `3000,--`: the mark before it stays.
fn without_price_dash(text: &str) -> Option<&str> {
    let price = text.trim_end_matches(|letter| is_minus(letter) || letter == '\u{2014}');
    let bytes = price.as_bytes();
    let ends = matches!(bytes, [.., b'0'..=b'9', b'.' | b',']);
    (ends && price.len() < text.len()).then_some(price)
}

/// The currency at either end of a text, and the rest of it.
fn without_currency(text: &str) -> Option<(&str, &str)> {
    CURRENCIES.iter().find_map(|currency| {
        let before = text.strip_prefix(currency).map(|rest| (&text[..currency.len()], rest));
        before.or_else(|| {
            let rest = text.strip_suffix(currency)?;
            Some((&text[rest.len()..], rest))
        })
    })
}

/// What the points and commas of digits can be; none if they fit no number.
fn marks(digits: &str, has_exponent: bool) -> Option<Marks> {
    let count = |mark: Decimal| digits.matches(mark.mark()).count();
    let [points, commas] = Decimal::ALL.map(count);
    // Of points and commas the last one.
    let last = match digits.rfind(['.', ',']) {
        Some(place) if digits[place..].starts_with('.') => Decimal::Point,
        Some(_) => Decimal::Comma,
        None if are_digits(digits) => return (!digits.is_empty()).then_some(Marks::None),
        None => return (is_grouped_by_one(digits) && !has_exponent).then_some(Marks::None),
    };
    let whole_and_fraction = || digits.rsplit_once(last.mark()).expect("it is there");
    let fraction = |whole_fits: bool| {
        let fits = whole_fits && are_digits(whole_and_fraction().1);
        fits.then_some(Marks::Decimal(last))
    };
    if points > 0 && commas > 0 || digits.contains(separates_thousands) {
        return fraction(!has_exponent && is_grouped_by_one(whole_and_fraction().0));
    }
    if points + commas > 1 {
        let thousands = is_grouped(digits, |letter| letter == last.mark());
        let fits = (thousands || is_grouped_in_lakhs(digits)) && !has_exponent;
        return fits.then_some(Marks::Thousands(last));
    }
    let (whole, after) = whole_and_fraction();
    if whole.len() + after.len() == 0 || !are_digits(whole) {
        return None;
    }
    if !has_exponent && is_grouped(digits, |letter| letter == last.mark()) {
        return Some(Marks::Either(last));
    }
    fraction(true)
}

/// Whether thousands are separated, all of them by the same mark.
fn is_grouped_by_one(digits: &str) -> bool {
    let mark = digits.chars().find(|letter| !letter.is_ascii_digit());
    mark.is_some_and(|mark| {
        let separates = separates_thousands(mark) || matches!(mark, '.' | ',');
        separates && is_grouped(digits, |letter| letter == mark) || is_grouped_in_lakhs(digits)
    })
}

/// As in India: `12,34,567`.
fn is_grouped_in_lakhs(digits: &str) -> bool {
    let groups: Vec<&str> = digits.split(',').collect();
    let [first, middle @ .., last] = &groups[..] else { return false };
    (1..=2).contains(&first.len())
        && !first.starts_with('0')
        && !middle.is_empty()
        && middle.iter().all(|group| group.len() == 2)
        && last.len() == 3
        && groups.iter().all(|group| are_digits(group))
}

/// One to three digits, the first not 0, then groups of three.
fn is_grouped(digits: &str, mark: impl Fn(char) -> bool) -> bool {
    let mut groups = digits.split(mark);
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len())
        && are_digits(first)
        && !first.starts_with('0')
        && groups.all(|group| group.len() == 3 && are_digits(group))
}

/// Whether a cell is an infinity by name.
pub(super) fn is_infinity(cell: &str) -> bool {
    let name = cell.trim_start_matches(|letter| letter == '+' || is_minus(letter));
    ["inf", "infinity", "∞"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Why a cell of digits and marks is no number.
pub(super) fn fault(cell: &str) -> Option<&'static str> {
    let made_of_digits = cell.chars().all(|letter| {
        letter.is_ascii_digit() || matches!(letter, '.' | ',') || separates_thousands(letter)
    });
    let marked = cell.contains(|letter: char| !letter.is_ascii_digit());
    (made_of_digits && marked && cell.contains(|letter: char| letter.is_ascii_digit()))
        .then_some("thousands are separated in groups of three, by one mark, before the only mark of a fraction; correct the cell")
}

/// Why a cell with digits is no number, and what to do.
pub(super) fn cause(cell: &str) -> &'static str {
    let has = |is: &dyn Fn(char) -> bool| cell.contains(is);
    match cell {
        _ if cell.starts_with('=') => "it is a formula; write its value",
        _ if has(&is_unseen) => "it has a character that is not seen; write the number alone",
        _ if has(&|letter| letter == '·') => {
            "its mark before the fraction is none of point and comma; write one of them"
        }
        _ if has(&|letter| letter == ':') => {
            "times and ratios are not read as values; write each as one number"
        }
        _ => fault(cell).unwrap_or(
            "what stands beside the digits is neither a currency that is known nor a percent sign; write the number alone",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_all_their_forms_have_their_values() {
        for (cell, marks, point, comma) in [
            ("12", Marks::None, 12.0, 12.0),
            ("+12", Marks::None, 12.0, 12.0),
            ("1.5", Marks::Decimal(Decimal::Point), 1.5, 1.5),
            ("1,5", Marks::Decimal(Decimal::Comma), 1.5, 1.5),
            (".5", Marks::Decimal(Decimal::Point), 0.5, 0.5),
            ("5,", Marks::Decimal(Decimal::Comma), 5.0, 5.0),
            ("1,234", Marks::Either(Decimal::Comma), 1234.0, 1.234),
            ("1.234", Marks::Either(Decimal::Point), 1.234, 1234.0),
            ("0,234", Marks::Decimal(Decimal::Comma), 0.234, 0.234),
            ("1234.567", Marks::Decimal(Decimal::Point), 1234.567, 1234.567),
            ("1,234.5", Marks::Decimal(Decimal::Point), 1234.5, 1234.5),
            ("1.234.567,25", Marks::Decimal(Decimal::Comma), 1234567.25, 1234567.25),
            ("1,234,567", Marks::Thousands(Decimal::Comma), 1234567.0, 1234567.0),
            ("1 234", Marks::None, 1234.0, 1234.0),
            ("1\u{a0}234,5", Marks::Decimal(Decimal::Comma), 1234.5, 1234.5),
            (
                "12\u{202f}345\u{202f}678.125",
                Marks::Decimal(Decimal::Point),
                12345678.125,
                12345678.125,
            ),
            ("1'234.50", Marks::Decimal(Decimal::Point), 1234.5, 1234.5),
            ("1’234’567", Marks::None, 1234567.0, 1234567.0),
            ("5%", Marks::None, 5.0, 5.0),
            ("-5,5 %", Marks::Decimal(Decimal::Comma), -5.5, -5.5),
            ("$1,234.50", Marks::Decimal(Decimal::Point), 1234.5, 1234.5),
            ("-$5", Marks::None, -5.0, -5.0),
            ("$-5", Marks::None, -5.0, -5.0),
            ("1.234,50 €", Marks::Decimal(Decimal::Comma), 1234.5, 1234.5),
            ("USD 12", Marks::None, 12.0, 12.0),
            ("12\u{a0}CHF", Marks::None, 12.0, 12.0),
            ("(1,234.50)", Marks::Decimal(Decimal::Point), -1234.5, -1234.5),
            ("$(5)", Marks::None, -5.0, -5.0),
            ("($5)", Marks::None, -5.0, -5.0),
            ("(5%)", Marks::None, -5.0, -5.0),
            ("\u{2212}49.36", Marks::Decimal(Decimal::Point), -49.36, -49.36),
            ("5.0-", Marks::Decimal(Decimal::Point), -5.0, -5.0),
            ("3000.-", Marks::Decimal(Decimal::Point), 3000.0, 3000.0),
            ("3000,-", Marks::Decimal(Decimal::Comma), 3000.0, 3000.0),
            ("3000,\u{2013}", Marks::Decimal(Decimal::Comma), 3000.0, 3000.0),
            ("3000.\u{2014}", Marks::Decimal(Decimal::Point), 3000.0, 3000.0),
            ("EUR 3.000,--", Marks::Decimal(Decimal::Comma), 3000.0, 3000.0),
            ("CHF 3'000.\u{2013}", Marks::Decimal(Decimal::Point), 3000.0, 3000.0),
            ("3000.- Fr.", Marks::Decimal(Decimal::Point), 3000.0, 3000.0),
            ("-3000.-", Marks::Decimal(Decimal::Point), -3000.0, -3000.0),
            ("(3000.-)", Marks::Decimal(Decimal::Point), -3000.0, -3000.0),
            ("12,34,567", Marks::Thousands(Decimal::Comma), 1234567.0, 1234567.0),
            ("₹3,00,000.50", Marks::Decimal(Decimal::Point), 300000.5, 300000.5),
            ("Rs. 3,000.00", Marks::Decimal(Decimal::Point), 3000.0, 3000.0),
            ("\u{200b}12\u{feff}", Marks::None, 12.0, 12.0),
            ("1e3", Marks::None, 1000.0, 1000.0),
            ("-1.234E-02", Marks::Decimal(Decimal::Point), -0.01234, -0.01234),
            ("1,5e+03", Marks::Decimal(Decimal::Comma), 1500.0, 1500.0),
            ("2e\u{2212}1", Marks::None, 0.2, 0.2),
            ("1e999", Marks::None, f64::INFINITY, f64::INFINITY),
        ] {
            let written = Written::of(cell).unwrap_or_else(|| panic!("{cell} is a number"));
            assert_eq!(written.marks, marks, "{cell}");
            let values = Decimal::ALL.map(|decimal| written.value(decimal));
            assert_eq!(values, [point, comma], "{cell}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for cell in [
            "",
            "-",
            ".",
            ",",
            "x",
            "12x",
            "1,2,456",
            "123,45,678",
            "12.34.567",
            "1234,567.8",
            "1.2.3",
            "1,234,56",
            "1.234.567.89",
            "1,234.567,8",
            "0,123,456",
            "1 23",
            "3.000.5.-",
            ".-",
            "3000-.",
            "1234 567",
            "1 234 5",
            "1 234'567",
            "1'234 567",
            "2020-01",
            "31.01.2020",
            "2020.01.31",
            "12:30",
            "--5",
            "+-5",
            "-(5)",
            "(5",
            "5)",
            "$",
            "$5 €",
            "$5%",
            "5%%",
            "e5",
            "1e",
            "1e+",
            "1e--5",
            "1e5.5",
            "1,234e3 4",
            "1 234e3",
            "0x10",
            "inf",
            "NaN",
            "１２",
            "1_000",
            "5 kg",
            "3k",
            "()",
            "%",
        ] {
            assert_eq!(Written::of(cell), None, "{cell}");
        }
    }
}
