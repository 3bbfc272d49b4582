//! The promises of `bptt train sound`: it learns, scores, draws and goes on after any end; files that are no sound, or
//! lie about it, get one line.

use crate::checkpoint::last;
use crate::page;
use crate::start::{bptt, json, kill_and_resume};
use bptt::data::sound;
use bptt::nn::Random;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// `x_{t+1} = 1 − 1.8 x_t²`: noise to whoever forecasts linearly.
fn chaos(length: usize) -> Vec<f32> {
    let mut x = 0.3f64;
    let step = |_| {
        x = 1.0 - 1.8 * x * x;
        (0.7 * x) as f32
    };
    (0..length).map(step).collect()
}

const SMALL: [&str; 12] = [
    "--hidden",
    "24",
    "--batch",
    "8",
    "--window",
    "25",
    "--lr",
    "0.02",
    "--checkpoint-every",
    "7",
    "--quiet",
    "--json",
];

fn trained(folder: &Path, run: &str, more: &[&str]) -> Value {
    json(&[&["train", "sound", "chaos.wav", "--out", run], &SMALL[..], more].concat(), folder)
}

#[test]
fn sound_is_learnt_scored_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sound::write(&folder.join("chaos.wav"), &chaos(20_000), 8000).unwrap();
    let result = trained(folder, "runs/a", &["--epochs", "8"]);
    let valid = result["valid_loss"].as_f64().unwrap();
    let linear = result["baselines"]["autoregressive"].as_f64().unwrap();
    println!("{valid:.3} nats a sample, AR {linear:.3}");
    assert!(valid < 0.6 * linear, "{result}");
    // A linear forecast knows nothing of it but how often each level is there.
    let levels = result["baselines"]["level_frequency"].as_f64().unwrap();
    assert!((linear - levels).abs() < 0.01, "{result}");
    for file in
        ["report.html", "waveform.png", "waveform.svg", "sample.wav", "validation.wav", "flow.png"]
    {
        assert!(folder.join("runs/a").join(file).exists(), "{file}");
    }

    // The validating part by itself has the loss that training has printed for it, and its steps add up to that.
    let score = |more: &[&str]| {
        let fixed = ["score", "runs/a", "runs/a/validation.wav"];
        bptt(&[&fixed, more].concat(), folder).stdout
    };
    let parsed = |more: &[&str]| -> Value { serde_json::from_slice(&score(more)).unwrap() };
    let nats = |score: &Value| score["nats_per_step"].as_f64().unwrap();
    let plain = parsed(&["--json"]);
    assert_eq!(plain["steps"], 2000);
    assert!((nats(&plain) - valid).abs() < 1e-6, "{plain} {valid}");
    let beside = plain["baselines"]["autoregressive"].as_f64().unwrap();
    assert!((beside - linear).abs() < 1e-9, "{plain} {linear}");
    let steps = score(&["--per-step"]);
    let rows: Vec<csv::StringRecord> =
        csv::Reader::from_reader(steps.as_slice()).records().map(Result::unwrap).collect();
    let sum: f64 = rows.iter().map(|row| row[2].parse::<f64>().unwrap()).sum();
    assert!((sum - plain["nats"].as_f64().unwrap()).abs() < 1e-6 * sum);
    let whole = sound::classes(&sound::read(&[folder.join("chaos.wav")], 8000).unwrap().samples);
    let levels = whole[18_000..].iter().map(|class| (class - 1).to_string());
    assert!(rows.iter().map(|row| row[1].to_string()).eq(levels));
    assert!(nats(&parsed(&["--json", "--shuffle"])) > 1.5 * valid);
    assert!((nats(&parsed(&["--json", "--forget", "50"])) - valid).abs() < 0.05);
    let text = String::from_utf8(score(&[])).unwrap();
    assert!(text.contains("bits a sample of AR("), "{text}");

    let drawn = |more: &[&str], file: &str| {
        let fixed = ["generate", "runs/a", "--seconds", "0.25", "--json"];
        let report = json(&[&fixed, more].concat(), folder);
        assert_eq!(report["steps"], 2000, "{report}");
        std::fs::read(folder.join(file)).unwrap()
    };
    let first = drawn(&[], "runs/a/generated.wav");
    assert_eq!(first, drawn(&["--out", "b.wav"], "b.wav"));
    assert_ne!(first, drawn(&["--out", "b.wav", "--seed", "2"], "b.wav"));
    let on = drawn(&["--prompt", "runs/a/validation.wav", "--out", "c.wav"], "c.wav");
    let samples = |file: &[u8]| -> Vec<i16> {
        let reader = WavReader::new(file).unwrap();
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 8000, 16));
        reader.into_samples().map(Result::unwrap).collect()
    };
    let prompt = samples(&std::fs::read(folder.join("runs/a/validation.wav")).unwrap());
    let on = samples(&on);
    assert_eq!(on.len(), prompt.len() + 2000);
    assert_eq!(on[..prompt.len()], prompt);
    // What it draws obeys the rule of what it learnt.
    let scale = 0.7 * 32768.0;
    let errors = on[prompt.len()..].windows(2).map(|pair| {
        let [now, next] = [pair[0], pair[1]].map(|x| f64::from(x) / scale);
        (next - (1.0 - 1.8 * now * now)).abs()
    });
    let error = errors.sum::<f64>() / 1999.0;
    println!("mean distance of a drawn sample from the map: {error:.3}");
    assert!(error < 0.1, "{error}");

    let list = json(&["runs", "--json"], folder);
    assert_eq!(
        (&list["rows"][0]["task"], &list["rows"][0]["done"]),
        (&"sound".into(), &true.into())
    );
    // The page is made again from the run's folder alone.
    std::fs::remove_file(folder.join("chaos.wav")).unwrap();
    std::fs::remove_file(folder.join("runs/a/report.html")).unwrap();
    assert!(bptt(&["report", "runs/a"], folder).status.success());
    assert_eq!(page::check_all(&folder.join("runs/a")), 1);
    let page = std::fs::read_to_string(folder.join("runs/a/report.html")).unwrap();
    for part in ["<audio controls", "data:audio/wav;base64,UklGR", "AR(", "--seconds"] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<svg").count(), 3, "learning curve, flow and waveform");

    for (arguments, words) in [
        (&["generate", "runs/a", "--length", "9"][..], "--seconds"),
        (&["generate", "runs/a", "--prompt", "absent.wav"], "absent.wav"),
        (&["generate", "runs/a", "--seconds", "1e9"], "--seconds"),
        (&["generate", "runs/a", "--out", "absent/a.wav"], "--out"),
        (&["score", "runs/a", "runs/a/config.toml"], "RIFF"),
        (&["train", "sound", "--resume", "runs/a"], "chaos.wav"),
    ] {
        refused(arguments, folder, words);
    }
}

/// Runs it and sees that it is refused in one line that has the words.
fn refused(arguments: &[&str], folder: &Path, words: &str) {
    let output = bptt(arguments, folder);
    let line = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {line}");
    assert!(line.lines().count() == 1 && line.contains(words), "{arguments:?}: {line}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed results");
}

#[test]
fn any_format_and_rate_is_learnt_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, channels, rate, bits, sample_format) in [
        ("float.wav", 2, 44100, 32, SampleFormat::Float),
        ("old.wav", 1, 11025, 8, SampleFormat::Int),
        ("studio.wav", 5, 48000, 24, SampleFormat::Int),
    ] {
        let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format };
        let mut writer = WavWriter::create(folder.join(name), spec).unwrap();
        for t in 0..rate {
            let sample = (f64::from(t) * 900.0 / f64::from(rate)).sin() * 0.4;
            for _ in 0..channels {
                match sample_format {
                    SampleFormat::Float => writer.write_sample(sample as f32).unwrap(),
                    SampleFormat::Int => {
                        let scale = 2f64.powi(i32::from(bits) - 1);
                        writer.write_sample((sample * scale) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
    }
    let files = ["train", "sound", "float.wav", "old.wav", "studio.wav", "--rate", "4000"];
    let more = ["--epochs", "1", "--embedding", "8", "--cell", "gru", "--out", "runs/a"];
    let result = json(&[&files[..], &SMALL, &more].concat(), folder);
    assert_eq!(result["epochs"], 1);
    let config = std::fs::read_to_string(folder.join("runs/a/config.toml")).unwrap();
    assert!(config.contains("rate = 4000") && config.contains("studio.wav"), "{config}");
    let on = json(
        &["train", "sound", "--resume", "runs/a", "--epochs", "2", "--quiet", "--json"],
        folder,
    );
    assert_eq!(on["epochs"], 2);
    // Three seconds, of which a tenth validates.
    let data = std::fs::read_to_string(folder.join("runs/a/data.toml")).unwrap();
    assert!(data.contains("training = 10800") && data.contains("valid = 1200"), "{data}");
}

#[test]
fn a_training_that_is_killed_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sound::write(&folder.join("chaos.wav"), &chaos(8000), 8000).unwrap();
    let arguments = [&["train", "sound", "chaos.wav", "--epochs", "4"], &SMALL[..10]].concat();
    kill_and_resume(&arguments, folder, 5, last);
}

#[test]
fn silence_and_channels_that_cancel_each_other_are_nothing_to_learn() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let stereo = |name: &str, frame: fn(f64) -> [f64; 2]| {
        let spec = WavSpec {
            channels: 2,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::create(folder.join(name), spec).unwrap();
        for t in 0..8000 {
            for sample in frame((f64::from(t) * 0.3).sin()) {
                writer.write_sample((sample * 20000.0) as i16).unwrap();
            }
        }
        writer.finalize().unwrap();
    };
    stereo("silent.wav", |_| [0.0, 0.0]);
    stereo("cancelled.wav", |sample| [sample, -sample]);
    stereo("constant.wav", |_| [0.5, 0.5]);
    stereo("loud.wav", |sample| [sample, 0.5 * sample]);
    for (name, words) in [
        ("silent.wav", "silent"),
        ("cancelled.wav", "cancel each other"),
        ("constant.wav", "same level"),
    ] {
        refused(&["train", "sound", name], folder, "nothing to learn");
        refused(&["train", "sound", name], folder, words);
    }
    assert!(!folder.join("runs").exists());
    // Beside other sound it is said, and read.
    let more = ["--epochs", "1", "--out", "runs/a"];
    let files = ["train", "sound", "loud.wav", "silent.wav", "--valid-share", "0.6"];
    let output = bptt(&[&files, &SMALL[..], &more].concat(), folder);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("note: silent.wav: it is silent"), "{said}");
    let score = bptt(&["score", "runs/a", "cancelled.wav"], folder);
    let said = String::from_utf8(score.stderr).unwrap();
    assert!(score.status.success() && said.contains("cancel each other"), "{said}");
    let draw = ["generate", "runs/a", "--seconds", "0.1", "--prompt", "silent.wav"];
    let drawn = bptt(&draw, folder);
    let said = String::from_utf8(drawn.stderr).unwrap();
    assert!(drawn.status.success() && said.contains("silent.wav: it is silent"), "{said}");
}

/// A header of 16-bit samples, with some fields changed: where, and the bytes there.
fn header(changes: &[(usize, &[u8])]) -> Vec<u8> {
    let mut file = sound::wav(&[0.25, -0.25].repeat(50), 8000).unwrap();
    for (at, bytes) in changes {
        file[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    file
}

#[cfg(unix)]
#[test]
fn hostile_files_get_one_line_within_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("folder.wav")).unwrap();
    let mut random = Random::seed_from_u64(1);
    let noise: Vec<u8> = (0..100_000).map(|_| random.random()).collect();
    let huge = header(&[(40, &0xffff_fff0u32.to_le_bytes()), (4, &0xffff_ffffu32.to_le_bytes())]);
    let files: [(&str, Vec<u8>, &str); 14] = [
        ("empty.wav", Vec::new(), "it is empty"),
        ("start.wav", header(&[])[..17].into(), "header"),
        ("half.wav", header(&[])[..101].into(), "too few"),
        ("short.wav", header(&[]), "too few"),
        ("huge.wav", huge.clone(), "too few"),
        ("fmt.wav", header(&[(16, &0xffff_fff0u32.to_le_bytes())]), "header"),
        ("chunk.wav", header(&[(12, b"junk"), (16, &[0xff; 4])]), "header"),
        ("mute.wav", header(&[(22, &[0, 0])]), "channels"),
        ("still.wav", header(&[(24, &[0; 8])]), "0 Hz"),
        ("fast.wav", header(&[(24, &[0xff; 4]), (28, &[0xfe, 0xff, 0xff, 0xff])]), "4294967295 Hz"),
        ("deep.wav", header(&[(34, &[64, 0])]), "bits"),
        ("adpcm.wav", header(&[(20, &[2, 0])]), "Microsoft ADPCM"),
        ("noise.wav", noise.clone(), "RIFF"),
        ("noisy.wav", [&header(&[])[..36], &noise].concat(), "header"),
    ];
    let sparse = folder.join("sparse.wav");
    std::fs::write(&sparse, &huge[..44]).unwrap();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&sparse)
        .unwrap()
        .set_len(44 + 0xffff_fff0)
        .unwrap();
    for (name, content, _) in &files {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let others = [
        ("sparse.wav", "2^28"),
        ("folder.wav", "folder.wav"),
        ("absent.wav", "absent.wav"),
        ("/dev/zero", "RIFF"),
    ];
    let cases = files.iter().map(|(name, _, words)| (*name, *words)).chain(others);
    for (name, words) in cases {
        // No more than 1 GiB of address space, of which the program itself takes a part.
        let line = "ulimit -v 1048576 && exec \"$0\" train sound \"$1\"";
        let output = Command::new("sh")
            .args(["-c", line, env!("CARGO_BIN_EXE_bptt"), name])
            .current_dir(folder)
            .env("RAYON_NUM_THREADS", "1")
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{name}: {error}");
        let errors: Vec<&str> = error.lines().filter(|line| !line.starts_with("note: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains(words), "{name}: {error}");
        assert!(!folder.join("runs").exists(), "{name} left something");
    }
    use std::os::unix::fs::PermissionsExt;
    let locked = folder.join("locked.wav");
    std::fs::write(&locked, header(&[])).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Nothing is locked to the superuser.
    if std::fs::File::open(&locked).is_err() {
        refused(&["train", "sound", "locked.wav"], folder, "locked.wav");
    }
}
