//! The frame of a chart: scales, ticks, grid, title, legend.

use super::Error;
use super::canvas::{Align, Canvas, Font, GREY, GRID, INK, Marker, Point, Stroke, distance};
use plotters::prelude::{DrawingBackend, RGBColor};

/// The numbers at the ticks.
pub const TICK: f64 = 26.0;
/// Names of axes and curves.
pub const NAME: f64 = 28.0;

/// Larger values are not drawn, so that sums and differences of the drawn ones are finite.
const LARGEST: f64 = 1e300;

/// Whether a value can be drawn.
pub fn drawable(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// The smallest and the largest of the values that can be drawn, or `None` if there are none.
pub fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|&value| drawable(value)).fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

/// The range widened on both sides by a share of its width. It is never empty.
pub fn widened((low, high): (f64, f64), share: f64) -> (f64, f64) {
    let least = if low == 0.0 && high == 0.0 { 1.0 } else { 1e-6 * low.abs().max(high.abs()) };
    let more = (share * (high - low)).max(least);
    (low - more, high + more)
}

/// A chart's rectangle in pixels and the values at its sides.
#[derive(Clone, Copy)]
pub struct Frame {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
    pub x: (f64, f64),
    pub y: (f64, f64),
}

/// A tick of an axis: its value and its label.
pub type Tick = (f64, String);

impl Frame {
    /// The pixel of a value.
    pub fn at(&self, (x, y): Point) -> Point {
        let across = (x - self.x.0) / (self.x.1 - self.x.0);
        let up = (y - self.y.0) / (self.y.1 - self.y.0);
        (self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top))
    }

    /// Whether a pixel is inside.
    pub fn holds(&self, (x, y): Point) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }

    /// The parts of a line of pixels that are inside.
    pub fn clipped(&self, line: &[Point]) -> Vec<Vec<Point>> {
        let mut parts: Vec<Vec<Point>> = Vec::new();
        for pair in line.windows(2) {
            let Some((from, to)) = self.clip(pair[0], pair[1]) else { continue };
            match parts.last_mut() {
                Some(part) if part.last() == Some(&from) => part.push(to),
                _ => parts.push(vec![from, to]),
            }
        }
        parts
    }

    /// The part of one segment that is inside, by Liang & Barsky.
    fn clip(&self, a: Point, b: Point) -> Option<(Point, Point)> {
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
        for (step, room) in [
            (-dx, a.0 - self.left),
            (dx, self.right - a.0),
            (-dy, a.1 - self.top),
            (dy, self.bottom - a.1),
        ] {
            if step == 0.0 && room < 0.0 {
                return None;
            } else if step < 0.0 {
                enter = enter.max(room / step);
            } else if step > 0.0 {
                leave = leave.min(room / step);
            }
        }
        let at = |share: f64| match share {
            0.0 => a,
            1.0 => b,
            share => (a.0 + share * dx, a.1 + share * dy),
        };
        (enter <= leave).then(|| (at(enter), at(leave)))
    }

    /// Grid lines and numbers at the ticks, and the two axes.
    pub fn draw<B: DrawingBackend>(
        &self,
        canvas: &Canvas<B>,
        x: &[Tick],
        y: &[Tick],
    ) -> Result<(), Error> {
        let grid = Stroke::new(1.5, GRID);
        for (value, _) in x {
            let (x, _) = self.at((*value, self.y.0));
            canvas.line(&[(x, self.top), (x, self.bottom)], grid)?;
        }
        for (value, _) in y {
            let (_, y) = self.at((self.x.0, *value));
            canvas.line(&[(self.left, y), (self.right, y)], grid)?;
        }
        self.draw_axes(canvas, x, y)
    }

    /// The two axes with a short line and a number at each tick.
    pub fn draw_axes<B: DrawingBackend>(
        &self,
        canvas: &Canvas<B>,
        x: &[Tick],
        y: &[Tick],
    ) -> Result<(), Error> {
        let axis = Stroke::new(2.0, INK);
        let font = Font::new(TICK, INK);
        for (value, label) in x {
            let (x, _) = self.at((*value, self.y.0));
            canvas.line(&[(x, self.bottom), (x, self.bottom + 8.0)], axis)?;
            canvas.text(label, (x, self.bottom + 14.0 + TICK), Align::Center, font)?;
        }
        for (value, label) in y {
            let (_, y) = self.at((self.x.0, *value));
            canvas.line(&[(self.left - 8.0, y), (self.left, y)], axis)?;
            canvas.text(label, (self.left - 16.0, y + font.half_digit()), Align::Right, font)?;
        }
        let (left, bottom) = (self.left, self.bottom);
        canvas.line(&[(left, self.top), (left, bottom), (self.right, bottom)], axis)
    }
}

/// The widest number of an axis, in pixels.
pub fn widest<B: DrawingBackend>(canvas: &Canvas<B>, ticks: &[Tick]) -> Result<f64, Error> {
    ticks.iter().try_fold(0.0_f64, |widest, (_, label)| {
        Ok(widest.max(canvas.text_width(label, Font::new(TICK, INK))?))
    })
}

/// The title in bold and the subtitle below it, smaller or shortened where they are too wide. With
/// `letters`, `w_rec` is drawn as a letter with an index. Leave it off for a title with a name from a file.
pub fn title<B: DrawingBackend>(
    canvas: &Canvas<B>,
    width: f64,
    title: &str,
    subtitle: &str,
    letters: bool,
) -> Result<(), Error> {
    let lines =
        [(title, 62.0, Font::new(38.0, INK).bold()), (subtitle, 108.0, Font::new(NAME, GREY))];
    for (text, baseline, font) in lines {
        let share = width / canvas.text_width(text, font)?.max(width);
        let font = Font { size: font.size * share.max(0.7), ..font };
        let text = canvas.shortened(text, font, width)?;
        if letters {
            canvas.formula(&text, (40.0, baseline), Align::Left, font)?;
        } else {
            canvas.text(&text, (40.0, baseline), Align::Left, font)?;
        }
    }
    Ok(())
}

/// One entry of a legend.
pub struct Entry<'a> {
    pub label: &'a str,
    pub stroke: Stroke,
    pub marker: Option<Marker>,
}

/// The rows of a legend from `left` to `right`, below `top`. Returns the pixel where they end. `letters` is
/// that of [`title`].
pub fn legend<B: DrawingBackend>(
    canvas: &Canvas<B>,
    entries: &[Entry],
    (left, right): (f64, f64),
    top: f64,
    letters: bool,
) -> Result<f64, Error> {
    const SAMPLE: f64 = 64.0;
    let font = Font::new(NAME, INK);
    let (mut x, mut baseline) = (left, top + NAME);
    for entry in entries {
        let label = canvas.shortened(entry.label, font, right - left - SAMPLE - 14.0)?;
        let width = SAMPLE + 14.0 + canvas.text_width(&label, font)?;
        if x > left && x + width > right {
            (x, baseline) = (left, baseline + 1.5 * NAME);
        }
        let y = baseline - font.half_digit();
        canvas.line(&[(x, y), (x + SAMPLE, y)], entry.stroke)?;
        if let Some(marker) = entry.marker {
            canvas.marker(marker, (x + SAMPLE / 2.0, y), 7.0, entry.stroke.color)?;
        }
        let at = (x + SAMPLE + 14.0, baseline);
        if letters {
            canvas.formula(&label, at, Align::Left, font)?;
        } else {
            canvas.text(&label, at, Align::Left, font)?;
        }
        x += width + 44.0;
    }
    Ok(baseline + 0.5 * NAME)
}

/// A text on a white card, readable on any background. `center` is the card's centre.
pub fn card<B: DrawingBackend>(
    canvas: &Canvas<B>,
    text: &str,
    center: Point,
    font: Font,
) -> Result<(), Error> {
    let (half_width, half_height) =
        (canvas.formula_width(text, font)? / 2.0 + 8.0, 0.68 * font.size);
    let (x, y) = center;
    canvas.rectangle(
        (x - half_width, y - half_height),
        (x + half_width, y + half_height),
        RGBColor(255, 255, 255),
    )?;
    canvas.formula(text, (x, y + font.half_digit()), Align::Center, font)
}

/// Moves positions apart to at least `gap`, each group as little as possible, and within `low..=high` if
/// there is room. The positions are in rising order.
pub fn spread(positions: &[f64], gap: f64, (low, high): (f64, f64)) -> Vec<f64> {
    // Groups of touching neighbours: the sum of the wanted positions of their first members, and their count.
    let mut groups: Vec<(f64, usize)> = Vec::new();
    let start = |&(sum, count): &(f64, usize)| {
        let last = high - gap * (count - 1) as f64;
        (sum / count as f64).min(last).max(low)
    };
    for &position in positions {
        groups.push((position, 1));
        while let [.., before, last] = groups[..] {
            let end = start(&before) + gap * before.1 as f64;
            if end <= start(&last) {
                break;
            }
            groups.truncate(groups.len() - 2);
            let shifted = last.0 - gap * (before.1 * last.1) as f64;
            groups.push((before.0 + shifted, before.1 + last.1));
        }
    }
    groups
        .iter()
        .flat_map(|group| (0..group.1).map(move |i| start(group) + gap * i as f64))
        .collect()
}

/// A place for a label near a point: the candidate that covers the least of the important points.
/// `half` is half the label's width and height; `taken` lists the other cards by centre and half size.
pub fn place(
    point: Point,
    half: Point,
    frame: &Frame,
    line: &[Point],
    taken: &[(Point, Point)],
) -> Point {
    let (dx, dy) = (half.0 + 24.0, half.1 + 22.0);
    let sides = [
        (1.0, 0.0),
        (-1.0, 0.0),
        (0.0, -1.0),
        (0.0, 1.0),
        (1.0, -1.0),
        (-1.0, -1.0),
        (1.0, 1.0),
        (-1.0, 1.0),
    ];
    let places = sides.map(|(x, y)| (point.0 + x * dx, point.1 + y * dy));
    let covered = |&place: &Point| -> usize {
        let out = !frame.holds((place.0 - half.0, place.1 - half.1))
            || !frame.holds((place.0 + half.0, place.1 + half.1));
        let hit = |other: Point, more: Point| {
            (place.0 - other.0).abs() < half.0 + more.0
                && (place.1 - other.1).abs() < half.1 + more.1
        };
        let cards = taken.iter().filter(|(center, half)| hit(*center, *half)).count();
        let points = line.windows(2).filter(|pair| {
            let pieces = (distance(pair[0], pair[1]) / 10.0).clamp(1.0, 200.0) as i32;
            (0..=pieces).any(|i| {
                let share = f64::from(i) / f64::from(pieces);
                let x = pair[0].0 + share * (pair[1].0 - pair[0].0);
                hit((x, pair[0].1 + share * (pair[1].1 - pair[0].1)), (6.0, 6.0))
            })
        });
        1_000_000 * usize::from(out) + 100_000 * cards + points.count()
    };
    places.into_iter().min_by_key(covered).unwrap_or(point)
}

/// At most `most` ticks, at round numbers.
pub fn round_ticks((low, high): (f64, f64), most: usize) -> Vec<Tick> {
    let step = round_step((high - low) / most as f64);
    let digits = (-(step * 1.000_001).log10().floor()).max(0.0);
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    let count = if first.is_finite() && last >= first { (last - first) as usize + 1 } else { 0 };
    (0..count.min(2 * most))
        .map(|i| (first + i as f64) * step)
        .map(|value| (value, number(value, step, digits as usize)))
        .collect()
}

/// The first of 1, 2 and 5 times a power of ten that is not smaller.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|digit| digit * power)
        .into_iter()
        .find(|&step| step >= least * 0.999_999)
        .unwrap_or(10.0 * power)
}

/// A number with as many digits as tell it from the next one, a step away.
fn number(value: f64, step: f64, digits: usize) -> String {
    let value = if value.abs() < step / 2.0 { 0.0 } else { value };
    if value != 0.0 && (value.abs() >= 1e6 || digits > 4) {
        let exponent = value.abs().log10().floor() as i32;
        let digits = (f64::from(exponent) - step.log10().floor()).clamp(0.0, 6.0) as usize;
        // Two divisions, because the power alone may be out of range.
        let half = exponent / 2;
        let mantissa = value / 10_f64.powi(half) / 10_f64.powi(exponent - half);
        return format!("{}×{}", minus(&format!("{mantissa:.digits$}")), power_of_ten(exponent));
    }
    minus(&format!("{value:.digits$}"))
}

/// With true minus signs.
fn minus(text: &str) -> String {
    text.replace('-', "−")
}

/// At most `most` ticks of a log axis, at decades. The values are exponents of ten.
pub fn decade_ticks((low, high): (f64, f64), most: usize) -> Vec<Tick> {
    let (first, last) = (low.ceil() as i32, high.floor() as i32);
    let every = ((last - first).max(0) / most.max(1) as i32 + 1).max(1);
    // 10⁰ is among them if it is in range.
    (first..=last)
        .filter(|decade| decade.rem_euclid(every) == 0)
        .map(|decade| (f64::from(decade), power_of_ten(decade)))
        .collect()
}

/// Ticks of a log axis: decades, or round numbers where it spans few decades. The values are exponents of ten.
pub fn log_ticks((low, high): (f64, f64), most: usize) -> Vec<Tick> {
    if high - low > 2.5 {
        return decade_ticks((low, high), most);
    }
    if high - low < 0.5 {
        let values = round_ticks((10_f64.powf(low), 10_f64.powf(high)), most.min(6));
        return values.into_iter().map(|(value, label)| (value.log10(), label)).collect();
    }
    let decades = low.floor() as i32..=high.floor() as i32;
    decades
        .flat_map(|decade| [1.0, 2.0, 5.0].map(|digit: f64| (decade, digit)))
        .map(|(decade, digit)| {
            let label = if (-4..6).contains(&decade) {
                format!("{:.*}", (-decade).max(0) as usize, digit * 10_f64.powi(decade))
            } else if digit == 1.0 {
                power_of_ten(decade)
            } else {
                format!("{digit}×{}", power_of_ten(decade))
            };
            (f64::from(decade) + digit.log10(), label)
        })
        .filter(|(value, _)| (low..=high).contains(value))
        .collect()
}

/// `10^k` as text.
pub fn power_of_ten(exponent: i32) -> String {
    let superscript = |digit| match digit {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => {
            ['⁰', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][(digit as usize - '0' as usize).saturating_sub(3)]
        }
    };
    format!("10{}", exponent.to_string().chars().map(superscript).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn exponents_are_superscripts() {
        assert_eq!(
            [-12, 0, 1, 6, 3, 45, 78, -309].map(power_of_ten),
            ["10⁻¹²", "10⁰", "10¹", "10⁶", "10³", "10⁴⁵", "10⁷⁸", "10⁻³⁰⁹"]
        );
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&round_ticks((-3.0, 3.0), 8)), ["−3", "−2", "−1", "0", "1", "2", "3"]);
        assert_eq!(labels(&round_ticks((0.1, 0.52), 5)), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(labels(&round_ticks((0.9e7, 2.1e7), 3)), ["1.0×10⁷", "1.5×10⁷", "2.0×10⁷"]);
        assert_eq!(labels(&log_ticks((-1.1, 0.4), 8)), ["0.1", "0.2", "0.5", "1", "2"]);
        assert_eq!(
            labels(&log_ticks((-7.0, 9.0), 9)),
            ["10⁻⁶", "10⁻⁴", "10⁻²", "10⁰", "10²", "10⁴", "10⁶", "10⁸"]
        );
    }

    #[test]
    fn labels_do_not_overlap() {
        assert_eq!(spread(&[10.0, 12.0, 60.0], 20.0, (0.0, 100.0)), [1.0, 21.0, 60.0]);
        assert_eq!(spread(&[95.0, 99.0], 20.0, (0.0, 100.0)), [80.0, 100.0]);
    }

    #[test]
    fn a_line_is_cut_at_the_frame() {
        let frame =
            Frame { left: 0.0, top: 0.0, right: 10.0, bottom: 10.0, x: (0.0, 1.0), y: (0.0, 1.0) };
        let line = [(-5.0, 5.0), (5.0, 5.0), (5.0, 20.0), (50.0, 20.0)];
        assert_eq!(frame.clipped(&line), [vec![(0.0, 5.0), (5.0, 5.0), (5.0, 10.0)]]);
    }
}
