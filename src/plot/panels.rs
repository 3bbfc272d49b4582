//! Several charts of one size in a grid.

use super::axes::Frame;

/// The columns and rows for that many panels.
pub fn columns_and_rows(panels: usize) -> (usize, usize) {
    match panels {
        0..=3 => (panels.max(1), 1),
        4 => (2, 2),
        panels => {
            let columns = (panels as f64).sqrt().ceil() as usize;
            (columns.max(3), panels.div_ceil(columns.max(3)))
        }
    }
}

/// The frames of that many panels within the pixels from `left`, `top` to `right`, `bottom`. All have the
/// same ranges, with room for numbers and a name around each.
pub fn frames(
    panels: usize,
    [left, top, right, bottom]: [f64; 4],
    x: (f64, f64),
    y: (f64, f64),
) -> Vec<Frame> {
    let (columns, rows) = columns_and_rows(panels);
    let (width, height) = ((right - left) / columns as f64, (bottom - top) / rows as f64);
    let frame = |panel: usize| {
        let (column, row) = (panel % columns, panel / columns);
        let (from, above) = (left + column as f64 * width, top + row as f64 * height);
        Frame {
            left: from + 100.0,
            top: above + 50.0,
            right: from + width - 20.0,
            bottom: above + height - 90.0,
            x,
            y,
        }
    };
    (0..panels).map(frame).collect()
}
