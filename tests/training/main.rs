//! What training reads, draws and learns, as a library.

#[path = "../../examples/custom_task.rs"]
mod custom_task;

mod backends;
mod drawn_dates;
mod drawn_series;
#[cfg(feature = "plot")]
mod examples;
mod series_dates;
mod series_files;
mod series_reader;
mod series_written;
mod tasks;

#[test]
fn the_example_of_a_task_runs() {
    custom_task::main();
}
