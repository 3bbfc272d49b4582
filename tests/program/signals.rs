//! What a training answers to a signal: it ends after the step, says that it is unfinished and how it goes on, and its
//! exit code is 128 and the signal's number. A second signal ends it at once.

use crate::checkpoint::{file, last};
use crate::start::{bptt, command, wait_for_end, wait_for_file};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SMALL: [&str; 12] = [
    "train",
    "text",
    "novel.txt",
    "--batch",
    "2",
    "--window",
    "16",
    "--hidden",
    "8",
    "--layers",
    "1",
    "--quiet",
];

fn begun(more: &[&str], folder: &Path) -> Child {
    let text = "It was the best of times, it was the worst of times. ".repeat(100);
    std::fs::write(folder.join("novel.txt"), text).unwrap();
    let mut command = command(&[&SMALL[..], more].concat(), folder);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn said(child: &mut Child) -> [String; 2] {
    let mut texts = [String::new(), String::new()];
    child.stdout.take().unwrap().read_to_string(&mut texts[0]).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut texts[1]).unwrap();
    texts
}

/// What this process ignores its children do, too: a hang-up under nohup.
fn is_ignored(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (number - 1) & 1 == 1
}

#[test]
fn an_unfinished_training_says_so_and_has_the_code_of_its_signal() {
    for (signal, number) in [("-INT", 2), ("-TERM", 15), ("-HUP", 1)] {
        if number == 1 && is_ignored(number) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut child = begun(&["--epochs", "100000", "--out", "run"], folder);
        wait_for_file(&mut child, &file(&folder.join("run"), "best"));
        send(signal, &child);
        let code = wait_for_end(&mut child).code();
        let [out, said] = said(&mut child);
        assert_eq!(code, Some(128 + number as i32), "{signal}: {said}");
        assert!(said.contains("ending after this step"), "{said}");
        let end = said.lines().last().unwrap();
        assert!(end.starts_with("unfinished: "), "{said}");
        assert!(end.ends_with("go on with: bptt train text --resume run"), "{said}");
        assert!(!out.contains("use it with"), "{out}");
        let progress = last(&folder.join("run")).1;
        assert!(!progress.done && said.contains(&format!("{} of ", progress.step)), "{said}");
        // Its end is one as any other.
        let more = (progress.epochs.len() + 1).to_string();
        let resume = ["train", "text", "--resume", "run", "--epochs", &more, "--quiet"];
        let output = bptt(&resume, folder);
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && out.contains("use it with"), "{out}");
        // With fewer epochs than it has had there is nothing to do, and nothing to divide by.
        let fewer = ["train", "text", "--resume", "run", "--epochs", "1", "--quiet"];
        let output = bptt(&fewer, folder);
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && out.contains("are asked for"), "{out}");
        assert!(!out.contains("inf") && !out.contains("NaN") && !out.contains("a second"), "{out}");
    }
}

#[test]
fn a_signal_before_the_first_epochs_end_leaves_a_run_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let more =
        ["--epochs", "1", "--checkpoint-every", "1", "--truncate", "sliding:1,16", "--out", "run"];
    let mut child = begun(&more, folder);
    wait_for_file(&mut child, &file(&folder.join("run"), "last"));
    send("-TERM", &child);
    let code = wait_for_end(&mut child).code();
    let [out, said] = said(&mut child);
    assert_eq!((code, out.as_str()), (Some(143), ""), "{said}");
    assert!(said.contains("before the end of the first epoch"), "{said}");
    assert!(said.contains("bptt train text --resume run"), "{said}");
}

#[test]
fn within_a_long_step_the_first_signal_is_answered_and_the_second_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // A step of minutes: the state of every character of a long text.
    let text = "It was the best of times, it was the worst of times. ".repeat(4000);
    std::fs::write(folder.join("long.txt"), text).unwrap();
    let arguments = [
        "train",
        "text",
        "long.txt",
        "--batch",
        "1",
        "--window",
        "180000",
        "--hidden",
        "256",
        "--layers",
        "2",
        "--epochs",
        "5",
        "--memory-budget",
        "64MiB",
        "--out",
        "run",
    ];
    let mut child =
        command(&arguments, folder).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_file(&mut child, &folder.join("run/config.toml"));
    std::thread::sleep(Duration::from_secs(2));
    let mut stderr = child.stderr.take().unwrap();
    send("-INT", &child);
    let clock = Instant::now();
    let mut line = [0; 22];
    stderr.read_exact(&mut line).unwrap();
    assert_eq!(String::from_utf8_lossy(&line), "ending after this step");
    assert!(clock.elapsed() < Duration::from_secs(1), "{:?}", clock.elapsed());
    assert!(child.try_wait().unwrap().is_none(), "the step was a short one");
    let clock = Instant::now();
    send("-TERM", &child);
    assert_eq!(wait_for_end(&mut child).code(), Some(143));
    assert!(clock.elapsed() < Duration::from_secs(1), "{:?}", clock.elapsed());
}
