//! A panel: many series out of one file, each with an id of its own and as long as it is.
//!
//! ```text
//! long (--id shop)         wide (--wide)                columns
//! shop,day,sold            id,2024-01,2024-02,2024-03   day,north,south
//! north,2024-01-01,5       H1,605,586,586               2024-01-01,5,7
//! north,2024-01-02,6       H2,3124,2990,                2024-01-02,6,8
//! south,2024-01-01,7
//! ```
//!
//! Each series is read as [`Series`] reads one: the marks of numbers are decided from the whole file, the dates of each series
//! by themselves.

use super::columns::Columns;
use super::forms::Forms;
use super::missing::{self, Gappy};
use super::reading::Decimal;
use super::table::{Content, Table};
use super::{Note, Series, SeriesError, SeriesOptions, check_delimiter, numbers, read_error};
use crate::data::dates::{self, Calendar, Dates, looks_like_date};
use crate::printable::{printable, printable_name};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// How the series of a file stand in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Layout {
    /// A column of numbers each.
    #[default]
    Columns,
    /// A row each: its id, then its values, the oldest first. Rows may end early.
    Wide,
    /// A row for each value, of the series that this column names.
    Long {
        /// The column of ids, by name or number.
        id: String,
    },
}

/// Many series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Panel {
    /// The id of each series.
    pub ids: Vec<String>,
    /// `[series][row]`: finite numbers in the units of the file, the oldest first.
    pub values: Vec<Vec<f64>>,
    /// The dates of each series, where there are any.
    pub calendars: Vec<Option<Calendar>>,
    /// The mark before fractions in the file; `None` where no number tells.
    pub decimal: Option<Decimal>,
    /// How the file was read.
    pub notes: Vec<Note>,
}

/// At most so many lines are told of the series of a file.
const TOLD: usize = 5;

impl Panel {
    /// Reads the series of the file at `path`.
    ///
    /// ```
    /// use bptt::data::series::panel::{Layout, Panel};
    ///
    /// let text = "shop,day,sold\nnorth,2024-01-01,5\nnorth,2024-01-02,6\nsouth,2024-01-01,7\n";
    /// let layout = Layout::Long { id: "shop".into() };
    /// let panel = Panel::read_from(text.as_bytes(), "sales.csv", &layout, &Default::default())?;
    /// assert_eq!(panel.ids, ["north", "south"]);
    /// assert_eq!(panel.values, [vec![5.0, 6.0], vec![7.0]]);
    /// # Ok::<(), bptt::data::series::SeriesError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Series::read`].
    pub fn read(
        path: impl AsRef<Path>,
        layout: &Layout,
        options: &SeriesOptions,
    ) -> Result<Self, SeriesError> {
        let path = path.as_ref();
        let name = path.to_string_lossy();
        let file = printable_name(&name);
        let metadata = std::fs::metadata(path).map_err(|source| read_error(&file, source))?;
        if metadata.is_dir() {
            return Err(SeriesError::Directory { file });
        }
        let input = File::open(path).map_err(|source| read_error(&file, source))?;
        Self::read_from(input, &name, layout, options)
    }

    /// Reads them from any source of bytes; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Series::read`].
    pub fn read_from(
        input: impl Read,
        name: &str,
        layout: &Layout,
        options: &SeriesOptions,
    ) -> Result<Self, SeriesError> {
        if *layout == Layout::Columns {
            return Ok(Self::of_columns(Series::read_from(input, name, options)?));
        }
        let file = printable_name(name);
        check_delimiter(options.delimiter, &file)?;
        let table = Table::read(input, &file, options)?;
        let decimal = Forms::of(&table, options.usual_decimal).agreed();
        let usual = decimal.or(options.usual_decimal);
        let mut panel = Self { decimal, ..Self::default() };
        match layout {
            Layout::Long { id } => panel.read_long(&table, id, usual, options)?,
            _ => panel.read_wide(&table, usual, options)?,
        }
        panel.shorten_notes(&file);
        Ok(panel)
    }

    /// Each column of a series is one.
    fn of_columns(series: Series) -> Self {
        Self {
            calendars: vec![series.calendar; series.names.len()],
            ids: series.names,
            values: series.values,
            decimal: series.decimal,
            notes: series.notes,
        }
    }

    fn read_wide(
        &mut self,
        table: &Table,
        usual: Option<Decimal>,
        options: &SeriesOptions,
    ) -> Result<(), SeriesError> {
        let from = usize::from(!Content::of(table, 0).numeric);
        let mut titles = (from..table.width()).map(|column| table.title(column));
        let titled = table.has_header() && titles.all(looks_like_date);
        let mut seen = HashMap::new();
        for row in 0..table.rows() {
            let id = match from {
                0 => format!("row {}", row + 1),
                _ => printable(table.cell(row, 0)),
            };
            if let Some(other) = seen.insert(id.clone(), table.line(row)) {
                let (file, line) = (table.file.clone(), table.line(row));
                return Err(SeriesError::SameId { file, line, id, other_line: other });
            }
            let upright = table.upright(row, from, &id, titled);
            if upright.rows() == 0 {
                return Err(SeriesError::NoValues { file: table.file.clone(), column: id });
            }
            let dates = match titled {
                true => dates::find(&upright, options, &mut self.notes)?,
                false => Dates::none(Vec::new(), upright.rows()),
            };
            self.push(&upright, (usize::from(titled), id), dates, usual)?;
        }
        Ok(())
    }

    fn read_long(
        &mut self,
        table: &Table,
        id: &str,
        usual: Option<Decimal>,
        options: &SeriesOptions,
    ) -> Result<(), SeriesError> {
        let id = table.find(id)?;
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for row in 0..table.rows() {
            let name = table.cell(row, id);
            let place = *places.entry(name).or_insert(groups.len());
            if place == groups.len() {
                groups.push((printable(name), Vec::new()));
            }
            groups[place].1.push(row);
        }
        let parts: Vec<Table> = groups.iter().map(|(_, rows)| table.part(rows)).collect();
        let found = dates::columns(table, options)?;
        let skipped: Vec<usize> = found.iter().copied().chain([id]).collect();
        let all: Vec<Option<usize>> = (0..table.rows()).map(Some).collect();
        let columns = Columns::choose(table, (&skipped, &all), options, &mut self.notes)?;
        if let Some(&exogenous) = columns.exogenous.first() {
            let (file, column) = (table.file.clone(), table.names[exogenous].clone());
            return Err(SeriesError::PanelExogenous { file, column });
        }
        let date_column = found.first().map(|&column| table.names[column].clone());
        let options = SeriesOptions { date_column, ..options.clone() };
        for ((name, _), part) in groups.iter().zip(&parts) {
            for &column in &columns.targets {
                let id = match columns.targets.len() {
                    1 => name.clone(),
                    _ => format!("{name} {}", table.names[column]),
                };
                let dates = match found.is_empty() {
                    true => Dates::none(Vec::new(), part.rows()),
                    false => dates::find(part, &options, &mut self.notes)?,
                };
                self.push(part, (column, id), dates, usual)?;
            }
        }
        Ok(())
    }

    /// Adds the series in a column of a table of its own.
    fn push(
        &mut self,
        table: &Table,
        (column, id): (usize, String),
        dates: Dates,
        usual: Option<Decimal>,
    ) -> Result<(), SeriesError> {
        let mark = Forms::of(table, usual).decide(table, column, &mut Vec::new())?;
        let (values, _) = numbers::read(table, column, &dates.rows, mark.or(usual))?;
        let regular = dates.calendar.as_ref().is_some_and(|calendar| calendar.step().is_ok());
        let known = (dates.rows.as_slice(), dates.labels.as_deref(), regular);
        let gappy = vec![Gappy { column, values }];
        let mut filled = missing::fill(table, gappy, 1, known, &mut self.notes)?;
        self.values.push(filled.values.swap_remove(0));
        self.calendars.push(dates.calendar.map(|calendar| calendar.kept(&filled.rows)));
        self.ids.push(id);
        Ok(())
    }

    /// What is said of each of many series is said of the first ones.
    fn shorten_notes(&mut self, file: &str) {
        self.notes.dedup_by(|a, b| a.to_string() == b.to_string());
        let more = self.notes.len().saturating_sub(TOLD);
        if more > 1 {
            let doubtful = self.notes[TOLD..].iter().any(Note::is_warning);
            self.notes.truncate(TOLD);
            let line = format!("{file}: {more} more lines like these, of its other series");
            self.notes.push(if doubtful { Note::Doubtful(line) } else { Note::Decided(line) });
        }
    }
}
