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
use super::labels::{self, Labels};
use super::missing::{self, Gappy};
use super::reading::Decimal;
use super::table::{Content, Table};
use super::{
    Line, Note, Series, SeriesError, SeriesOptions, check_delimiter, line_of, numbers, read_error,
};
use crate::data::categories::{Categories, Coded};
use crate::data::dates::{self, Calendar, Dates, Timelines, looks_like_date};
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
    /// `[series][row]`: the line in the file; `None` for a row that the file lacks.
    pub lines: Vec<Vec<Line>>,
    /// `[series][row]`: whether the value was missing and is filled in.
    pub filled: Vec<Vec<bool>>,
    /// What the series are, in columns of categories.
    pub labels: Vec<Labels>,
    /// These as numbers, `[series][indicator]`; none before they are coded.
    pub inputs: Vec<Vec<f64>>,
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
        if !matches!(layout, Layout::Long { .. }) && !options.categorical.is_empty() {
            return Err(SeriesError::NoLabels { file: printable_name(name) });
        }
        if *layout == Layout::Columns {
            return Ok(Self::of_columns(Series::read_from(input, name, options)?));
        }
        let file = printable_name(name);
        check_delimiter(options.delimiter, &file)?;
        let table = Table::read(input, &file, options)?;
        let whole = Forms::of(&table, options.usual_decimal);
        let mut panel = Self { decimal: whole.agreed(), ..Self::default() };
        match layout {
            Layout::Long { id } => panel.read_long(&table, id, &whole, options)?,
            _ => panel.read_wide(&table, &whole, options)?,
        }
        panel.inputs = vec![Vec::new(); panel.ids.len()];
        panel.shorten_notes(&file);
        Ok(panel)
    }

    /// Each column of a series is one.
    fn of_columns(series: Series) -> Self {
        Self {
            calendars: vec![series.calendar; series.names.len()],
            lines: vec![series.lines; series.names.len()],
            filled: series.filled,
            labels: Vec::new(),
            inputs: vec![Vec::new(); series.names.len()],
            ids: series.names,
            values: series.values,
            decimal: series.decimal,
            notes: series.notes,
        }
    }

    fn read_wide(
        &mut self,
        table: &Table,
        whole: &Forms,
        options: &SeriesOptions,
    ) -> Result<(), SeriesError> {
        let from = usize::from(!Content::of(table, 0).numeric);
        let mut titles = (from..table.width()).map(|column| table.title(column));
        let titled = table.has_header() && titles.all(looks_like_date);
        let mut seen = HashMap::new();
        let mut timelines = Timelines::default();
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
            self.push(&upright, (usize::from(titled), id), dates, (whole, &mut timelines))?;
        }
        Ok(())
    }

    fn read_long(
        &mut self,
        table: &Table,
        id: &str,
        whole: &Forms,
        options: &SeriesOptions,
    ) -> Result<(), SeriesError> {
        let id = table.find(id)?;
        let too_many = || SeriesError::TooManyRows { file: table.file.clone(), most: u32::MAX };
        u32::try_from(table.rows()).map_err(|_| too_many())?;
        let mut groups: Vec<(String, Vec<u32>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for row in 0..table.rows() {
            let name = table.cell(row, id);
            let place = *places.entry(name).or_insert(groups.len());
            if place == groups.len() {
                groups.push((printable(name), Vec::new()));
            }
            groups[place].1.push(row as u32);
        }
        let found = dates::columns(table, options)?;
        let mut skipped: Vec<usize> = found.iter().copied().chain([id]).collect();
        let asked = options.columns.iter().filter_map(|asked| table.find(asked).ok());
        let taken: Vec<usize> = skipped.iter().copied().chain(asked).collect();
        let labels = labels::read(table, &taken, &groups, options)?;
        skipped.extend(labels.iter().map(|(column, _)| *column));
        let columns = Columns::choose(table, (&skipped, None), options, &mut self.notes)?;
        if let Some(&exogenous) = columns.exogenous.first() {
            let (file, column) = (table.file.clone(), table.names[exogenous].clone());
            return Err(SeriesError::PanelExogenous { file, column });
        }
        let date_column = found.first().map(|&column| table.names[column].clone());
        let options = SeriesOptions { date_column, ..options.clone() };
        let mut timelines = Timelines::default();
        for (name, rows) in groups {
            let part = table.part(&rows);
            for &column in &columns.targets {
                let id = match columns.targets.len() {
                    1 => name.clone(),
                    _ => format!("{name} {}", table.names[column]),
                };
                let dates = match found.is_empty() {
                    true => Dates::none(Vec::new(), part.rows()),
                    false => dates::find(&part, &options, &mut self.notes)?,
                };
                self.push(&part, (column, id), dates, (whole, &mut timelines))?;
            }
        }
        // Each column to forecast is a series of its own.
        let times = columns.targets.len();
        self.labels.extend(labels.into_iter().map(|(_, Labels { words, values })| {
            let each = values.iter().flat_map(|&value| std::iter::repeat_n(value, times));
            Labels { words, values: each.collect() }
        }));
        Ok(())
    }

    /// The categories of its labels; those that tell series apart alone.
    pub fn categories(&self) -> Vec<Categories> {
        let each = self.labels.iter();
        let all = each.map(|Labels { words, values }| Categories::fit(words, values, values.len()));
        all.filter(|categories| categories.means.len() > 1).collect()
    }

    /// Brings its labels to numbers, by categories that are known, and says in a line each which of them are not.
    ///
    /// # Errors
    /// The column of categories that it has not.
    pub fn code(&mut self, categories: &[Categories]) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        self.inputs = vec![Vec::new(); self.ids.len()];
        for known in categories {
            let labels = self.labels.iter().find(|labels| labels.words.column == known.column);
            let Labels { words, values } = labels.ok_or_else(|| known.column.clone())?;
            let (names, columns) = ([known.column.clone()], [values.clone()]);
            let words = std::slice::from_ref(words);
            let coded = Coded::of(&names, &columns, words, std::slice::from_ref(known));
            lines.extend(coded.lines());
            for (series, inputs) in self.inputs.iter_mut().enumerate() {
                inputs.extend(coded.columns.iter().map(|column| column[series]));
            }
        }
        Ok(lines)
    }

    /// Adds the series in a column of a table of its own.
    fn push(
        &mut self,
        table: &Table,
        (column, id): (usize, String),
        dates: Dates,
        (whole, timelines): (&Forms, &mut Timelines),
    ) -> Result<(), SeriesError> {
        let mark = Forms::of_part(table, whole).decide(table, column, &mut self.notes)?;
        let (values, _) = numbers::read(table, column, &dates.rows, mark)?;
        let regular = dates.calendar.as_ref().is_some_and(|calendar| calendar.step().is_ok());
        let known = (dates.rows.as_slice(), dates.labels.as_deref(), regular);
        let gappy = Gappy { column, values };
        let gaps = gappy.gaps();
        let mut filled = missing::fill(table, vec![gappy], 1, known, &mut self.notes)?;
        let lines = filled.rows.iter().map(|&row| line_of(table, dates.rows[row]));
        self.lines.push(lines.collect());
        self.filled.push(filled.rows.iter().map(|&row| gaps[row]).collect());
        self.values.push(filled.values.swap_remove(0));
        let calendar = dates.calendar.map(|calendar| calendar.kept(&filled.rows));
        self.calendars.push(calendar.map(|calendar| calendar.sharing(timelines)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::series::{Missing, Reading};

    fn read(text: &str, layout: &Layout) -> Panel {
        read_with(text, layout, &SeriesOptions::default()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn read_with(
        text: &str,
        layout: &Layout,
        options: &SeriesOptions,
    ) -> Result<Panel, SeriesError> {
        Panel::read_from(text.as_bytes(), "some.csv", layout, options)
    }

    fn long() -> Layout {
        Layout::Long { id: "shop".into() }
    }

    fn labels(panel: &Panel, series: usize) -> Vec<String> {
        let dates = panel.calendars[series].as_ref().unwrap();
        dates.moments().iter().map(|&moment| dates.label(moment)).collect()
    }

    #[test]
    fn rows_end_where_they_end() {
        let text = "\"V1\",\"V2\",\"V3\",\"V4\"\n\"H1\",\"605\",\"586\",\"586.5\"\n\"H2\",\"31\",\"\",\"\"\n\"H3\",\"\",\"7\",\"8\"\n";
        let panel = read(text, &Layout::Wide);
        assert_eq!(panel.ids, ["H1", "H2", "H3"]);
        assert_eq!(panel.values, [vec![605.0, 586.0, 586.5], vec![31.0], vec![7.0, 8.0]]);
        assert_eq!(panel.calendars, [None, None, None]);
        // Without a header, and without ids.
        let panel = read("a;1,5;2\nb;3;4,25\n", &Layout::Wide);
        assert_eq!(panel.values, [vec![1.5, 2.0], vec![3.0, 4.25]]);
        let panel = read("1,2,3\n4,5,6\n", &Layout::Wide);
        assert_eq!(panel.ids, ["row 1", "row 2"]);
        assert_eq!(panel.values[1], [4.0, 5.0, 6.0]);
        // Whole numbers that rise by one are no dates here.
        let panel = read("id,x1,x2,x3\na,2001,2002,2003\nb,5,6,7\n", &Layout::Wide);
        assert_eq!(panel.values[0], [2001.0, 2002.0, 2003.0]);
    }

    #[test]
    fn titles_that_are_dates_are_those_of_every_row() {
        let text = "country,2020-01,2020-02,2020-03\nA,1,2,3\nB,,5,6\n";
        let panel = read(text, &Layout::Wide);
        assert_eq!(panel.values, [vec![1.0, 2.0, 3.0], vec![5.0, 6.0]]);
        assert_eq!(labels(&panel, 0), ["2020-01", "2020-02", "2020-03"]);
        assert_eq!(labels(&panel, 1), ["2020-02", "2020-03"]);
    }

    #[test]
    fn each_series_of_a_long_file_has_its_rows_and_dates() {
        let text = "day,shop,sold\n2024-01-01,north,5\n2024-01-01,south,50\n2024-01-02,north,6\n2024-01-02,south,60\n2024-01-03,south,70\n";
        let panel = read(text, &long());
        assert_eq!(panel.ids, ["north", "south"]);
        assert_eq!(panel.values, [vec![5.0, 6.0], vec![50.0, 60.0, 70.0]]);
        assert_eq!(labels(&panel, 1), ["2024-01-01", "2024-01-02", "2024-01-03"]);
        // Numbers may name series, several columns are several series, and what decides a mark may stand in another one.
        let text = "shop;sold;price\n7;1,5;2\n7;3;4,25\n8;9;9\n";
        let panel = read(text, &long());
        assert_eq!(panel.ids, ["7 sold", "7 price", "8 sold", "8 price"]);
        assert_eq!(panel.values[..2], [vec![1.5, 3.0], vec![2.0, 4.25]]);
        assert_eq!(panel.decimal, Some(Decimal::Comma));
        let quoted = "shop,sold\na,\"1,234\"\na,\"2,500.5\"\nb,\"3,000\"\nb,4\n";
        assert_eq!(read(quoted, &long()).values[1], [3000.0, 4.0]);
    }

    #[test]
    fn the_dates_of_each_series_are_looked_at_by_themselves() {
        let text =
            "day,shop,sold\n2024-01-01,a,1\n2024-01-02,a,2\n2024-01-02,b,3\n2024-01-01,b,4\n";
        let line = read_with(text, &long(), &SeriesOptions::default()).unwrap_err().to_string();
        assert!(line.starts_with("some.csv, line 5") && line.contains("--sort"), "{line}");
        let twice = text.replace("2024-01-01,b,4", "2024-01-02,b,4");
        let line = read_with(&twice, &long(), &SeriesOptions::default()).unwrap_err().to_string();
        assert!(line.starts_with("some.csv, line 5"), "{line}");
    }

    #[test]
    fn what_is_missing_is_refused_or_filled() {
        let text = "id,x1,x2,x3\na,1,,3\nb,4,5,6\n";
        let line = read_with(text, &Layout::Wide, &SeriesOptions::default()).unwrap_err();
        let line = line.to_string();
        assert!(line.starts_with("some.csv, line 2, column 'a'"), "{line}");
        let reading = Reading { missing: Missing::Interpolate, ..Reading::default() };
        let options = SeriesOptions { reading, ..SeriesOptions::default() };
        assert_eq!(read_with(text, &Layout::Wide, &options).unwrap().values[0], [1.0, 2.0, 3.0]);
        let empty = "id,x1,x2\na,,\nb,4,5\n";
        let line = read_with(empty, &Layout::Wide, &options).unwrap_err().to_string();
        assert!(line.contains("'a'"), "{line}");
    }

    #[test]
    fn columns_are_series_where_nothing_else_is_said() {
        let panel = read("day,north,south\n2024-01-01,5,7\n2024-01-02,6,8\n", &Layout::Columns);
        assert_eq!(panel.ids, ["north", "south"]);
        assert_eq!(panel.values, [[5.0, 6.0], [7.0, 8.0]]);
        assert_eq!(labels(&panel, 0), labels(&panel, 1));
    }
}
