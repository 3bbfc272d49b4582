//! Where results go: regular files are replaced whole, links, pipes and devices are written through, and a reader of
//! standard output may leave when it has seen enough.

use crate::start::{bptt, shell};
use std::path::Path;
use std::process::{Command, Output};

/// A text and a sound that are learnt in a moment, in `text` and `sound`, and a series in `series`.
fn trained(folder: &Path) {
    std::fs::write(folder.join("novel.txt"), "It was the best of times. ".repeat(20)).unwrap();
    let small = ["--hidden", "4", "--layers", "1", "--epochs", "1", "--quiet", "--out"];
    let tasks: [&[&str]; 3] = [
        &["text", "novel.txt", "--batch", "1", "--window", "5"],
        &["sound", "--rate", "200", "--batch", "1", "--window", "200"],
        &["series"],
    ];
    for task in tasks {
        let output = bptt(&[&["train"], task, &small, &[task[0]]].concat(), folder);
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{task:?}: {line}");
    }
}

/// Sees that it was refused in one line that has the words, and printed nothing.
fn is_refused(output: &Output, words: &str) {
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert!(line.lines().count() == 1 && line.contains(words), "no '{words}' in: {line}");
    assert!(output.stdout.is_empty());
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_ends_every_command_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    let commands: [&[&str]; 22] = [
        &["--help"],
        &["train", "text", "--help"],
        &["--version"],
        &["print", "manual"],
        &["print", "completions", "bash"],
        &["runs", "."],
        &["runs", ".", "--json"],
        &["generate", "text", "--length", "3000"],
        &["generate", "text", "--json"],
        &["generate", "sound", "--seconds", "0.1"],
        &["generate", "sound", "--seconds", "0.1", "--out", "/dev/stdout"],
        &["score", "text", "novel.txt"],
        &["score", "text", "novel.txt", "--json"],
        &["score", "text", "novel.txt", "--per-step"],
        &["score", "sound", "sound/validation.wav", "--per-step"],
        &["forecast", "series"],
        &["forecast", "series", "--json"],
        &["flow", "text"],
        &["gradcheck", "--cell", "elman"],
        &["bench", "--cell", "elman", "--time", "4", "--batch", "1", "--json"],
        &["train", "count", "--out", "count", "--quiet", "--overwrite"],
        &["report", "text"],
    ];
    for arguments in commands {
        // The reader is gone before the first byte, and after one.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_bptt"));
        command.args(arguments).current_dir(folder).stdout(writer);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // What is told there in any case.
        let told = said.lines().filter(|line| !line.starts_with("wrote "));
        assert_eq!(told.count(), 0, "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let script = format!("( \"$BPTT\" {}; echo $? >&2 ) | head -c 1", arguments.join(" "));
        let output = shell(&script, folder);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.lines().last(), Some("0"), "{arguments:?}: {said}");
        assert!(!said.contains("panic") && !said.contains("error"), "{arguments:?}: {said}");
    }
}

#[cfg(unix)]
#[test]
fn links_pipes_and_devices_are_written_through() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    std::fs::create_dir(folder.join("other")).unwrap();
    for (name, command) in
        [("sound", "generate sound --seconds 0.1 --out"), ("series", "forecast series --out")]
    {
        let write = |to: &str| shell(&format!("exec \"$BPTT\" {command} {to}"), folder);
        let succeeds = |output: Output| {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{said}");
            output.stdout
        };
        let file = format!("{name}.out");
        let at = |path: &str| folder.join(path);
        succeeds(write(&file));
        let plain = std::fs::read(at(&file)).unwrap();
        assert!(plain.len() > 60);
        // A file that is there is replaced, and nothing is left beside it.
        std::fs::write(at(&file), "old, and of another length").unwrap();
        succeeds(write(&file));
        assert!(std::fs::read(at(&file)).unwrap() == plain);
        // A link to a file, to a link to a file in another folder, and to a file that is not there yet.
        std::fs::write(at("other/target"), "old").unwrap();
        for (link, to) in [("a", "other/target"), ("b", "a"), ("c", "other/new")] {
            let _ = std::fs::remove_file(at(link));
            symlink(to, at(link)).unwrap();
            succeeds(write(link));
            assert!(std::fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
            assert!(std::fs::read(at(link)).unwrap() == plain, "{link}");
        }
        assert!(std::fs::read(at("other/target")).unwrap() == plain);
        std::fs::remove_file(at("other/new")).unwrap();
        // Standard output as a pipe and as a file, with nothing behind the bytes.
        assert!(succeeds(write("/dev/stdout")) == plain);
        succeeds(shell(&format!("exec \"$BPTT\" {command} /dev/stdout > redirected"), folder));
        assert!(std::fs::read(at("redirected")).unwrap() == plain);
        succeeds(shell(&format!("exec \"$BPTT\" {command} /dev/fd/1 >> redirected"), folder));
        assert!(std::fs::read(at("redirected")).unwrap() == [&plain[..], &plain].concat());
        // A pipe with a name.
        let script = format!(
            "rm -f pipe; mkfifo pipe; cat pipe > piped & \"$BPTT\" {command} pipe; [ -p pipe ] || kill $!; wait"
        );
        succeeds(shell(&script, folder));
        assert!(std::fs::read(at("piped")).unwrap() == plain);
        use std::os::unix::fs::FileTypeExt;
        assert!(std::fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
        succeeds(write("/dev/null"));
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
        let full = write("/dev/full");
        is_refused(&full, "cannot write /dev/full");
        // What cannot be.
        symlink("round", at("round")).unwrap_or(());
        for (to, words) in [
            ("other", "other"),
            ("novel.txt/x", "novel.txt/x"),
            ("round", "round"),
            ("none/x", "none/x"),
        ] {
            is_refused(&write(to), words);
        }
        // Before the work is done, which is one of hours here.
        let long = "ulimit -t 60; exec \"$BPTT\" generate sound --seconds 400000 --out none/x";
        is_refused(&shell(long, folder), "none/x");
        // As a link into a folder that is not there.
        let _ = std::fs::remove_file(at("d"));
        symlink("none/x", at("d")).unwrap();
        is_refused(&write("d"), "cannot write");
        let left = |folder: &Path| {
            let entries =
                std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            entries.filter(|name| name.to_string_lossy().starts_with('.')).count()
        };
        assert_eq!([left(folder), left(&at("other"))], [0, 0]);
    }
}

#[cfg(unix)]
#[test]
fn a_run_s_folder_that_cannot_be_made_is_refused_before_anything_is() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("novel.txt"), "It was the best of times. ".repeat(20)).unwrap();
    symlink("round", folder.join("round")).unwrap();
    assert!(shell("mkfifo pipe", folder).status.success());
    std::fs::create_dir(folder.join("locked")).unwrap();
    let locked = std::fs::Permissions::from_mode(0o555);
    std::fs::set_permissions(folder.join("locked"), locked).unwrap();
    let before = std::fs::read_dir(folder).unwrap().count();
    let mut names = vec!["/dev/null", "/dev/stdout", "pipe", "round", "novel.txt", "novel.txt/x"];
    // Nothing is locked to the superuser: then this one is asked of a user that there is.
    if std::fs::write(folder.join("locked/x"), "").is_err() {
        names.push("locked");
        names.push("locked/x");
    } else {
        std::fs::remove_file(folder.join("locked/x")).unwrap();
        println!("not asked: a folder without permission, to the superuser");
    }
    for name in names {
        let small = ["--batch", "1", "--window", "5", "--hidden", "4", "--quiet"];
        let arguments = [&["train", "text", "novel.txt", "--out", name], &small[..]].concat();
        is_refused(&bptt(&arguments, folder), name);
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), before);
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_are_refused_before_anything_is_made() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let name = OsStr::from_bytes(b"caf\xe9");
    std::fs::write(folder.join("novel.txt"), "It was the best of times. ".repeat(20)).unwrap();
    std::fs::write(folder.join(name), "It was the best of times. ".repeat(20)).unwrap();
    let run = |arguments: &[&OsStr]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bptt"));
        command.args(arguments).current_dir(folder).output().unwrap()
    };
    let word = |text: &'static str| OsStr::new(text);
    for arguments in [
        &[word("train"), word("text"), name][..],
        &[word("train"), word("sound"), name],
        &[word("train"), word("series"), name],
        &[word("train"), word("text"), word("novel.txt"), word("--out"), name],
        &[word("train"), word("text"), word("--resume"), name],
        &[word("generate"), name],
        &[word("score"), name, word("novel.txt")],
        &[word("runs"), name],
    ] {
        is_refused(&run(arguments), "caf\\xE9");
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2);
    // A run that somebody has named so is listed.
    std::fs::create_dir(folder.join("runs")).unwrap();
    let small = "--batch 1 --window 5 --hidden 4 --layers 1 --epochs 1 --quiet --out run";
    let made = shell(&format!("\"$BPTT\" train text novel.txt {small}"), folder);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    std::fs::rename(folder.join("run"), folder.join("runs").join(name)).unwrap();
    for arguments in [&["runs"][..], &["runs", "--json"]] {
        let output = bptt(arguments, folder);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("caf\u{fffd}"), "{output:?}");
    }
}

/// Control characters in what a stranger has named: an escape that clears the screen, and a line that looks like another.
#[cfg(unix)]
#[test]
fn foreign_names_are_printed_on_one_line() {
    const NAME: &str = "a\u{1b}[2J\nruns/forged  text  lstm";
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let at = |name: &str| folder.join(name);
    trained(folder);
    let is_plain = |arguments: &[&str], expected: Option<i32>| {
        let output = bptt(arguments, folder);
        let printed = [&output.stdout[..], &output.stderr].concat();
        let printed = String::from_utf8(printed).unwrap();
        assert_eq!(output.status.code(), expected, "{arguments:?}: {printed}");
        assert!(!printed.contains('\u{1b}'), "{arguments:?}: {printed:?}");
        assert!(!printed.contains("\nruns/forged"), "{arguments:?}: {printed}");
        assert!(printed.contains("a\\u{1b}[2J\\nruns/forged"), "{arguments:?}: {printed}");
    };
    std::fs::create_dir_all(at("runs")).unwrap();
    // The name of a folder and of files in it.
    let nested = format!("runs/{}", NAME.split('/').next().unwrap());
    std::fs::create_dir_all(at(&nested)).unwrap();
    let run = format!("runs/{NAME}");
    std::fs::rename(at("text"), at(&run)).unwrap();
    is_plain(&["runs", &nested], Some(0));
    is_plain(&["generate", &format!("{run}x")], Some(2));
    is_plain(&["score", &run, NAME], Some(2));
    is_plain(&["report", &run], Some(0));
    is_plain(&["train", "series", NAME], Some(2));
    is_plain(&["train", "sound", NAME], Some(2));
    is_plain(&["train", "text", NAME], Some(2));
    is_plain(
        &["generate", "sound", "--seconds", "0.1", "--out", &format!("{nested}/a{NAME}")],
        Some(2),
    );
    // Names in the configuration.
    let config = std::fs::read_to_string(at("series/config.toml")).unwrap();
    let escaped = NAME.replace('\u{1b}', "\\u001b").replace('\n', "\\n");
    for (key, value) in [("task", "series"), ("cell", "elman")] {
        let line = format!("{key} = \"{value}\"");
        assert!(config.contains(&line), "{config}");
        let changed = config.replace(&line, &format!("{key} = \"{escaped}\""));
        std::fs::write(at("series/config.toml"), changed).unwrap();
        for arguments in [&["runs", "."][..], &["runs", ".", "--json"]] {
            let output = bptt(arguments, folder);
            let printed = [output.stdout, output.stderr].concat();
            assert!(!printed.contains(&0x1b), "{}", String::from_utf8_lossy(&printed));
            assert!(!String::from_utf8_lossy(&printed).contains("\nruns/forged"));
        }
        for arguments in [&["forecast", "series"][..], &["report", "series"]] {
            let output = bptt(arguments, folder);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(said.lines().count() == 1 && !said.contains('\u{1b}'), "{said:?}");
        }
    }
}

/// Little address space, and files that may not grow: one line each, and what was saved is still there.
#[cfg(target_os = "linux")]
#[test]
fn limits_of_the_system_are_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    std::fs::write(folder.join("long.txt"), "It was the best of times. ".repeat(2_000_000))
        .unwrap();
    let ends = |output: &Output| {
        let line = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{line}");
        // Above it may stand how the files were read and how the training goes on.
        let [above @ .., last] = &line.lines().collect::<Vec<_>>()[..] else { panic!("no line") };
        assert!(above.len() <= 1 && last.starts_with("error: "), "{line}");
        assert!(!line.contains("panicked") && !line.contains("allocation"), "{line}");
        last.to_string()
    };
    let small = "--batch 1 --window 5 --epochs 1 --quiet --out other";
    let limited = |limit: u32, arguments: &str| {
        let script = format!("ulimit -v {limit}; RAYON_NUM_THREADS=1 exec \"$BPTT\" {arguments}");
        shell(&script, folder)
    };
    // The check before the work reads the limit.
    let line = ends(&limited(400_000, &format!("train text novel.txt --hidden 3000 {small}")));
    assert!(line.contains("memory") && line.contains("--hidden"), "{line}");
    // And what nobody has reckoned with ends in one line as well.
    for limit in [100_000, 200_000] {
        let line = ends(&limited(limit, &format!("train text long.txt --hidden 4 {small}")));
        assert!(line.contains("memory"), "{line}");
    }
    let before = std::fs::read(folder.join("text/checkpoint/last.safetensors")).unwrap();
    let resume = "ulimit -f 4; exec \"$BPTT\" train text --resume text --epochs 2 --quiet";
    let line = ends(&shell(resume, folder));
    assert!(line.contains("cannot write"), "{line}");
    assert!(std::fs::read(folder.join("text/checkpoint/last.safetensors")).unwrap() == before);
}

#[test]
fn results_are_not_written_over_runs_and_what_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    std::fs::copy(folder.join("series/series.csv"), folder.join("later.csv")).unwrap();
    std::fs::copy(folder.join("sound/validation.wav"), folder.join("prompt.wav")).unwrap();
    let bytes = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let draw = ["generate", "sound", "--seconds", "0.1", "--out"];
    for (arguments, file, words) in [
        (&["forecast", "series", "--out"][..], "series/config.toml", "belongs to a run"),
        (&["forecast", "series", "--out"], "text/data.toml", "belongs to a run"),
        (&["forecast", "series", "--out"], "series/../series/series.csv", "belongs to a run"),
        (&["forecast", "series", "--from", "later.csv", "--out"], "./later.csv", "is read"),
        (&draw, "sound/checkpoint/best.safetensors", "belongs to a run"),
        (
            &[&["generate", "sound", "--prompt", "prompt.wav"], &draw[2..]].concat(),
            "prompt.wav",
            "is read",
        ),
        (&draw, "-", "--out -"),
    ] {
        let before = (file != "-").then(|| bytes(file));
        is_refused(&bptt(&[arguments, &[file]].concat(), folder), words);
        assert!(before.is_none_or(|before| before == bytes(file)), "{file}");
    }
    let said = bptt(&["forecast", "series", "--out", "series/forecast.csv"], folder);
    assert_eq!(said.status.code(), Some(0));
}

#[test]
fn another_checkpoint_than_the_best_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    trained(folder);
    let best = folder.join("series/checkpoint/best.safetensors");
    let whole = std::fs::read(&best).unwrap();
    for damaged in [true, false] {
        match damaged {
            true => std::fs::write(&best, &whole[..whole.len() / 2]).unwrap(),
            false => std::fs::remove_file(&best).unwrap(),
        }
        let output = bptt(&["forecast", "series", "--steps", "1"], folder);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        for words in ["warning: ", "best.safetensors", "last.safetensors is used instead"] {
            assert!(said.contains(words), "no '{words}' in: {said}");
        }
    }
}
