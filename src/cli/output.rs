//! Where results go: standard output, and the folder of a run.

use super::Failure;
use bptt::data::series::Note;
use bptt::files;
use bptt::plot::page::Table;
use bptt::printable::printable_name;
use bptt::train::run::is_of_a_run;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What to print and where to write.
#[derive(Args, Clone, Debug)]
pub struct Output {
    /// Folder for what is written [default: runs/<task>; for a training, if that is taken, the first of runs/<task>-2,
    /// -3, … that is free]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// Print no progress
    #[arg(long)]
    pub quiet: bool,
}

impl Output {
    /// Makes the folder for results and sees that it can be written, before any work is done.
    pub fn folder_or(&self, default: &Path) -> Result<PathBuf, Failure> {
        let folder = self.out.as_deref().unwrap_or(default);
        let refused = |error: std::io::Error| {
            Failure(format!(
                "cannot write to the folder {}: {error}; name another with --out",
                folder.display()
            ))
        };
        std::fs::create_dir_all(folder).map_err(refused)?;
        files::check_writable(&folder.join("report.html")).map_err(refused)?;
        Ok(folder.into())
    }

    /// A progress bar on standard error, shown on a terminal only.
    pub fn progress(&self, steps: usize) -> ProgressBar {
        bar(steps, self.quiet)
    }

    /// Prints the JSON object, or the text.
    pub fn print(&self, json: &impl serde::Serialize, text: &str) -> Result<(), Failure> {
        if self.json {
            show(format_args!("{}\n", serde_json::to_string(json).expect("results are plain data")))
        } else {
            show(format_args!("{text}"))
        }
    }
}

/// Standard output, the one way there. A reader that has gone away, `| head` say, has seen enough: what is written for it
/// after that is dropped without an error.
pub struct StandardOutput {
    out: io::StdoutLock<'static>,
    /// Whether there is still a reader.
    pub is_read: bool,
}

impl StandardOutput {
    pub fn new() -> Self {
        Self { out: io::stdout().lock(), is_read: true }
    }

    /// What a write has come to, and what is returned of it where nobody reads.
    fn or_dropped<T>(&mut self, written: io::Result<T>, dropped: T) -> io::Result<T> {
        written.or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => {
                self.is_read = false;
                Ok(dropped)
            }
            kind => Err(io::Error::new(kind, format!("cannot write to standard output: {error}"))),
        })
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = if self.is_read { self.out.write(bytes) } else { Ok(bytes.len()) };
        self.or_dropped(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = if self.is_read { self.out.flush() } else { Ok(()) };
        self.or_dropped(flushed, ())
    }
}

/// Prints on standard output.
pub fn show(text: fmt::Arguments<'_>) -> Result<(), Failure> {
    let mut out = StandardOutput::new();
    out.write_fmt(text)?;
    Ok(out.flush()?)
}

/// A line on standard error, one whatever names and texts of files are in it. Where that is closed or full there is nobody
/// to tell.
pub fn note(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{}", printable_name(&line.to_string()));
}

/// What a reader found odd about its files, a line each.
pub fn notes(notes: &[String]) {
    notes.iter().for_each(|line| note(format_args!("note: {line}")));
}

/// A progress bar on standard error, shown on a terminal only.
pub fn bar(steps: usize, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}  {eta} left");
    ProgressBar::new(steps as u64).with_style(style.expect("a valid template"))
}

/// A warning each.
pub fn warn(warnings: &[impl fmt::Display]) {
    for warning in warnings {
        note(format_args!("warning: {warning}"));
    }
}

/// How a file was read: warnings, and notes unless it is to be quiet.
pub fn tell(notes: &[Note], quiet: bool) {
    for line in notes.iter().filter(|note| note.is_warning() || !quiet) {
        note(format_args!("{line}"));
    }
}

/// The lines of a page's table, without its caption.
pub fn page_table(table: &Table) -> String {
    let header: Vec<&str> = table.header.iter().map(String::as_str).collect();
    self::table(&header, &table.rows)
}

/// The lines of a table: columns as wide as their widest cell, the first aligned left, numbers right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    // Names of a run may come from anybody.
    let printable = |row: &Vec<String>| row.iter().map(|cell| printable_name(cell)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(printable).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.enumerate().map(|(column, cell)| {
            let width = width(column);
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut text = line(&mut header.iter().copied());
    for row in &rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// Sees that the file can be written that the flag names.
pub fn writable(flag: &str, file: &Path) -> Result<(), Failure> {
    files::check_target(file).map_err(|error| {
        Failure(format!("cannot write {}: {error}; name another file with {flag}", file.display()))
    })
}

/// As [`writable`], where the file is none that the command reads, and none of a run.
pub fn writable_beside(flag: &str, file: &Path, read: &[&Path]) -> Result<(), Failure> {
    let place = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    let place = |path: &Path| path.canonicalize().ok().or_else(|| place(path));
    let target = place(file);
    if target.is_some() && read.iter().any(|read| place(read) == target) {
        return Err(Failure(format!(
            "{flag} {}: this file is read, and would be lost; name another",
            file.display()
        )));
    }
    if target.is_some_and(|target| is_of_a_run(&target)) {
        return Err(Failure(format!(
            "{flag} {}: this file belongs to a run, which would be lost; name another",
            file.display()
        )));
    }
    writable(flag, file)
}

/// A path on one line.
pub fn shown(path: &Path) -> String {
    printable_name(&path.to_string_lossy())
}

/// A line for each file written.
pub fn wrote(text: &mut String, files: &[PathBuf]) {
    for file in files {
        text.push_str(&format!("wrote {}\n", shown(file)));
    }
}

/// An error in a table; a dash where there is none to speak of.
pub fn error(error: Option<f64>) -> String {
    error.map_or_else(|| "-".into(), |error| format!("{error:.1e}"))
}
