//! A long file of many series takes little memory a row, in whichever order its rows stand.

use crate::alone;
use crate::memory_budget::MEMORY;
use bptt::data::series::panel::{Layout, Panel};
use std::io::Read;

const SERIES: usize = 1000;
const ROWS: usize = 1000;

/// The text of a file that is never in memory whole.
struct Text {
    /// Whether the rows of a day stand together, and not those of a series.
    by_day: bool,
    row: usize,
    line: Vec<u8>,
    /// How much of the line is read.
    read: usize,
}

impl Text {
    fn new(by_day: bool) -> Self {
        Self { by_day, row: 0, line: b"shop,day,sold,note\n".to_vec(), read: 0 }
    }
}

fn value(series: usize, row: usize) -> f64 {
    ((series * 7919 + row * 104_729) % 1_000_003) as f64 / 100.0
}

/// A day of 2001, 2002 or 2003, which have no leap day.
fn date(row: usize) -> String {
    const MONTHS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (year, mut day) = (2001 + row / 365, row % 365);
    let mut month = 0;
    while day >= MONTHS[month] {
        day -= MONTHS[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, day + 1)
}

impl Read for Text {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.read == self.line.len() && self.row < SERIES * ROWS {
            let (outer, inner) = (self.row / ROWS, self.row % ROWS);
            let (series, row) = if self.by_day { (inner, outer) } else { (outer, inner) };
            let day = date(row);
            let value = value(series, row);
            let line = format!("shop {series},{day},{value:.2},some words\n");
            (self.line, self.read) = (line.into_bytes(), 0);
            self.row += 1;
        }
        let count = into.len().min(self.line.len() - self.read);
        into[..count].copy_from_slice(&self.line[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

/// Of those that are kept 8 are the value's, 4 say where it stands in the file, and 1 whether it was missing.
#[test]
fn a_row_of_a_panel_takes_few_bytes() {
    const BYTES: usize = 50;
    let _alone = alone();
    for by_day in [false, true] {
        let layout = Layout::Long { id: "shop".into() };
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let panel = Panel::read_from(Text::new(by_day), "long.csv", &layout, &Default::default());
        let panel = panel.unwrap();
        let bytes = MEMORY.peak_usage().saturating_sub(before) / (SERIES * ROWS);
        println!("by day {by_day}: {bytes} bytes a row at most");
        assert_eq!((panel.ids.len(), panel.values[3].len()), (SERIES, ROWS));
        assert_eq!(panel.values[517][412], value(517, 412));
        assert!(bytes < BYTES, "{bytes} bytes a row");
        let kept = MEMORY.current_usage().saturating_sub(before) / (SERIES * ROWS);
        assert!(kept < 8 + 4 + 1 + 1, "{kept} bytes a row are kept");
    }
}
