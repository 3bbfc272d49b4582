//! The examples of the recurrence run.

#[path = "../../examples/bare_walk.rs"]
mod bare_walk;
#[path = "../../examples/custom_cell.rs"]
mod custom_cell;

#[test]
fn a_walk_without_autodiff() {
    bare_walk::main();
}

#[test]
fn a_cell_from_outside() {
    custom_cell::main();
}

#[test]
fn each_example_is_a_page() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 40, "{} has {lines} lines", path.display());
    }
}
