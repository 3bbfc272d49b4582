//! The promises of `bptt train text`: it learns, it scores by the chain rule, and it goes on after any end.

use crate::checkpoint::last;
use crate::page;
use crate::start::{bptt, command, json, kill_and_resume, wait_for_end, wait_for_file};
use bptt::backend::Backend;
use bptt::cell::Lstm;
use bptt::data::text::{UNKNOWN, Vocabulary};
use bptt::host;
use bptt::model::CharacterModel;
use bptt::nn::{Gradient, Random, Recurrent};
use burn::module::Module;
use burn::tensor::{DType, Device};
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Words in an order that has a rule: each is followed by one of two.
fn text(words: usize, seed: u64) -> String {
    const WORDS: [&str; 5] = ["tide ", "rises, ", "über ", "stones ", "again.\n"];
    let mut random = Random::seed_from_u64(seed);
    let mut word = 0;
    let mut text = String::new();
    for _ in 0..words {
        text += WORDS[word];
        word = (word + 1 + usize::from(random.random::<f64>() < 0.3)) % WORDS.len();
    }
    text
}

const SMALL: [&str; 13] = [
    "--hidden",
    "16",
    "--layers",
    "2",
    "--batch",
    "8",
    "--window",
    "16",
    "--lr",
    "0.01",
    "--checkpoint-every",
    "7",
    "--quiet",
];

fn trained(folder: &Path, run: &str, more: &[&str]) -> Value {
    let arguments = [&["train", "text", "text.txt", "--json", "--out", run], &SMALL[..], more];
    json(&arguments.concat(), folder)
}

#[test]
fn a_text_is_learnt_scored_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("text.txt"), text(6000, 1)).unwrap();
    let result = trained(folder, "runs/a", &["--epochs", "3"]);
    let valid = result["valid_loss"].as_f64().unwrap();
    let pairs = result["baselines"]["pair_frequency"].as_f64().unwrap();
    assert!(valid < 0.6 * pairs, "{result}");
    assert_eq!((&result["epochs"], &result["done"]), (&3.into(), &true.into()));
    for file in [
        "config.toml",
        "data.toml",
        "metrics.jsonl",
        "report.html",
        "learning_curve.png",
        "flow.png",
    ] {
        assert!(folder.join("runs/a").join(file).exists(), "{file}");
    }
    let metrics = std::fs::read_to_string(folder.join("runs/a/metrics.jsonl")).unwrap();
    let epochs: Vec<Value> =
        metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(epochs.len(), 3);
    let best = epochs.iter().map(|epoch| epoch["valid_loss"].as_f64().unwrap());
    assert_eq!(best.fold(f64::INFINITY, f64::min), valid);

    // The validation text by itself has the loss that training has printed for it.
    let whole = text(6000, 1);
    let characters: Vec<char> = whole.chars().collect();
    let start = characters.len() - (characters.len() as f64 * 0.1) as usize;
    let end: String = characters[start..].iter().collect();
    std::fs::write(folder.join("end.txt"), &end).unwrap();
    let score =
        |more: &[&str]| json(&[&["score", "runs/a", "end.txt", "--json"], more].concat(), folder);
    let plain = score(&[]);
    let nats = |score: &Value| score["nats_per_step"].as_f64().unwrap();
    assert!((nats(&plain) - valid).abs() < 1e-6, "{plain} {valid}");
    let steps = bptt(&["score", "runs/a", "end.txt", "--per-step"], folder);
    let mut rows = csv::Reader::from_reader(steps.stdout.as_slice());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    let sum: f64 = rows.iter().map(|row| row[2].parse::<f64>().unwrap()).sum();
    assert!((sum - plain["nats"].as_f64().unwrap()).abs() < 1e-6 * sum);
    let read: String = rows.iter().map(|row| row[1].to_string()).collect();
    assert_eq!(read, end);
    // Order and the past carry information.
    let (shuffled, forgetful) = (score(&["--shuffle"]), score(&["--forget", "1"]));
    assert!(nats(&shuffled) > 2.0 * valid && nats(&forgetful) > 1.3 * valid);
    assert!((nats(&score(&["--forget", "500"])) - valid).abs() < 0.01);

    let drawn = |more: &[&str]| {
        let fixed = ["generate", "runs/a", "--length", "200", "--prompt", "tide "];
        String::from_utf8(bptt(&[&fixed, more].concat(), folder).stdout).unwrap()
    };
    assert_eq!(drawn(&[]), drawn(&[]));
    assert_ne!(drawn(&[]), drawn(&["--seed", "2"]));
    let greedy = drawn(&["--temperature", "0"]);
    assert!(greedy.starts_with("tide rises, über stones again.\ntide rises, "), "{greedy}");
    assert_eq!(greedy.chars().count(), 5 + 200 + 1);

    let list = json(&["runs", "--json"], folder);
    assert_eq!(list["rows"][0]["done"], true, "{list}");
    std::fs::remove_file(folder.join("runs/a/report.html")).unwrap();
    assert!(bptt(&["report", "runs/a"], folder).status.success());
    assert_eq!(page::check_all(&folder.join("runs/a")), 1);
    let page = std::fs::read_to_string(folder.join("runs/a/report.html")).unwrap();
    assert!(page.contains("A sample") && page.contains("frequency of pairs"));
    assert!(page.contains("How far back it listens") && page.matches("<svg").count() == 2);

    // A configuration repeats a run, and flags go before it.
    let again = ["train", "text", "--config", "runs/a/config.toml", "--quiet", "--json"];
    json(&[&again[..], &["--out", "runs/b"]].concat(), folder);
    assert_eq!(last(&folder.join("runs/a")), last(&folder.join("runs/b")));
    let other = json(&[&again[..], &["--epochs", "1", "--out", "runs/c"]].concat(), folder);
    assert_eq!(other["epochs"], 1);
}

/// A character that the validation part alone holds is unknown to the model, there as in any other text.
#[test]
fn the_end_of_a_text_is_not_in_the_vocabulary() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = text(2000, 1);
    let half = text.char_indices().nth(text.chars().count() * 95 / 100).unwrap().0;
    let text = format!("{}ж{}", &text[..half], &text[half..]);
    std::fs::write(folder.join("text.txt"), &text).unwrap();
    let result = trained(folder, "runs/a", &["--epochs", "1"]);
    let data = std::fs::read_to_string(folder.join("runs/a/data.toml")).unwrap();
    assert!(data.contains('ü') && !data.contains('ж'), "{data}");
    let characters: Vec<char> = text.chars().collect();
    let start = characters.len() - (characters.len() as f64 * 0.1) as usize;
    std::fs::write(folder.join("end.txt"), characters[start..].iter().collect::<String>()).unwrap();
    let score = json(&["score", "runs/a", "end.txt", "--backend", "flex", "--json"], folder);
    assert_eq!(score["unknown"], 1, "{score}");
    let [scored, valid] =
        [&score["nats_per_step"], &result["valid_loss"]].map(|nats| nats.as_f64().unwrap());
    assert!((scored - valid).abs() < 1e-6, "{scored} {valid}");
}

#[test]
fn both_paths_learn_the_same_in_f64() {
    let device = Device::default().autodiff();
    let text = text(60, 3);
    let vocabulary = Vocabulary::of(&text, 1);
    let classes = vocabulary.classes_of(text.as_bytes());
    let (inputs, targets) = (&classes[..120], &classes[1..121]);
    for embedding in [None, Some(5)] {
        let model = |gradient| -> CharacterModel<Recurrent<Lstm>> {
            let configure = |config: bptt::nn::RecurrentConfig| config.with_gradient(gradient);
            let mut random = Random::seed_from_u64(4);
            let sizes = [7, 2];
            let options = (&device, DType::F64);
            let classes = vocabulary.classes();
            CharacterModel::new(
                Lstm::default(),
                classes,
                embedding,
                sizes,
                configure,
                options,
                &mut random,
            )
        };
        let gradients = |gradient| {
            let model = model(gradient);
            let (losses, _) = model.window_losses(inputs, targets, [6, 20], None);
            let loss = losses.mean();
            let mut gradients = loss.backward();
            let weights = &model.network.recurrent.layers[0].directions[0];
            let w_x = weights.w_x.as_ref().unwrap().val().grad_remove(&mut gradients).unwrap();
            let w_2 = model.network.readout.w_2.val().grad_remove(&mut gradients).unwrap();
            let e = model.embedding.as_ref().map(|e| e.val().grad_remove(&mut gradients).unwrap());
            let all = [Some(w_x), Some(w_2), e].into_iter().flatten().flat_map(host);
            (all.collect::<Vec<f64>>(), host(loss)[0])
        };
        let (by_hand, loss) = gradients(Gradient::Manual);
        let (autodiff, _) = gradients(Gradient::Autodiff);
        let size = autodiff.iter().map(|g| g * g).sum::<f64>().sqrt();
        let worst = by_hand.iter().zip(&autodiff).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-13 * size, "{worst} {size}");

        // The slope of the loss along the gradient of W_2, by a central difference.
        let along = |step: f64| {
            let mut moved = model(Gradient::Manual);
            let (losses, _) = moved.window_losses(inputs, targets, [6, 20], None);
            let gradient = losses.mean().backward();
            let gradient = moved.network.readout.w_2.val().grad(&gradient).unwrap();
            let norm: f64 = host(gradient.clone()).iter().map(|g| g * g).sum();
            let w_2 = moved.network.readout.w_2.val().inner() + gradient * step;
            moved.network.readout.w_2 = burn::module::Param::from_tensor(
                burn::tensor::Tensor::from_data(w_2.into_data(), (&device, DType::F64)),
            );
            let (losses, _) = moved.window_losses(inputs, targets, [6, 20], None);
            (host(losses.mean())[0], norm)
        };
        let ((up, norm), (down, _)) = (along(1e-4), along(-1e-4));
        let slope = (up - down) / 2e-4;
        assert!((slope - norm).abs() < 1e-6 * norm, "{slope} {norm} at {loss}");
    }
}

#[test]
fn how_far_back_a_model_listens_is_the_gradient_of_its_last_loss() {
    let device = Device::default();
    let vocabulary = Vocabulary::of("abcde", 1);
    let mut random = Random::seed_from_u64(8);
    let classes = vocabulary.classes();
    let [batch, time, hidden] = [3, 9, 6];
    for embedding in [None, Some(4)] {
        let mut model: CharacterModel<Recurrent<Lstm>> = CharacterModel::new(
            Lstm::default(),
            classes,
            embedding,
            [hidden, 2],
            |config| config,
            (&device, DType::F64),
            &mut random,
        );
        let mut drawn = || -> Vec<u32> {
            (0..batch * time).map(|_| random.random_range(0..classes as u32)).collect()
        };
        let (inputs, targets) = (drawn(), drawn());
        let norms = model.gradient_norms(&inputs, &targets, [batch, time]).unwrap();
        assert_eq!(norms.len(), 2);

        // The mean loss of the last step, where the output of step t is what the state h_t makes of it: its gradient
        // with respect to h_T is (softmax(O_T) − onehot) W_2ᵀ / batch.
        let (logits, _) = model.forward(&inputs, [batch, time], None);
        let logits = host(logits);
        let w_2 = host(model.network.readout.w_2.val());
        let mut square = 0.0;
        for row in 0..batch {
            let at = (row + 1) * time - 1;
            let logits = &logits[at * classes..][..classes];
            let sum: f64 = logits.iter().map(|o| o.exp()).sum();
            for unit in 0..hidden {
                let d = (0..classes).map(|k| {
                    let one = f64::from(targets[at] as usize == k);
                    (logits[k].exp() / sum - one) * w_2[unit * classes + k]
                });
                square += (d.sum::<f64>() / batch as f64).powi(2);
            }
        }
        let top = &norms[1][0];
        assert_eq!((top.name.as_str(), top.gradient_norm.len()), ("hidden", time));
        let given = top.gradient_norm[time - 1];
        assert!((given - square.sqrt()).abs() < 1e-13, "{given} {}", square.sqrt());

        // No earlier target matters, and the loss of one step alone is heard in all steps before it; the top layer's
        // last cell has no way to it but through its hidden state.
        let mut other = targets.clone();
        (0..batch).for_each(|row| other[row * time] = (other[row * time] + 1) % classes as u32);
        assert_eq!(model.gradient_norms(&inputs, &other, [batch, time]).unwrap(), norms);
        let heard = norms.iter().flatten().map(|state| &state.gradient_norm[..time - 1]);
        assert!(heard.flatten().all(|g| *g > 0.0), "{norms:?}");

        // Without recurrent weights and with a closed forget gate nothing is heard of the past.
        for layer in &mut model.network.recurrent.layers {
            let weights = &mut layer.directions[0];
            let w_h = weights.w_h.as_ref().unwrap().val();
            weights.w_h = Some(burn::module::Param::from_tensor(w_h.zeros_like()));
        }
        model.network.recurrent.set_forget_bias(-800.0);
        let deaf = model.gradient_norms(&inputs, &targets, [batch, time]).unwrap();
        assert!(deaf[1][1].gradient_norm[..time - 1].iter().all(|g| *g == 0.0), "{deaf:?}");
    }
}

#[test]
fn the_score_is_the_walk_step_by_step() {
    let device = Device::default();
    let vocabulary = Vocabulary::of("abc", 1);
    let mut random = Random::seed_from_u64(1);
    let model: CharacterModel<Recurrent<Lstm>> = CharacterModel::new(
        Lstm::default(),
        vocabulary.classes(),
        None,
        [5, 1],
        |config| config,
        (&device, DType::F64),
        &mut random,
    );
    let classes: Vec<u32> = (0..5000).map(|_| random.random_range(1..4)).collect();
    let losses = model.score(&classes);
    let (mut state, mut before) = (None, UNKNOWN);
    for (t, &class) in classes.iter().enumerate() {
        let (logits, next) = model.forward(&[before], [1, 1], state);
        let logits = host(logits);
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        assert!((losses[t] - (sum.ln() - logits[class as usize])).abs() < 1e-12, "{t}");
        (state, before) = (Some(next), class);
    }
    assert_eq!(model.score_forgetting(&classes[..300], 300), model.score(&classes[..300]));
}

fn started(arguments: &[&str], folder: &Path) -> Child {
    command(arguments, folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_training_that_is_killed_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("text.txt"), text(3000, 1)).unwrap();
    let more = ["--epochs", "3", "--dropout", "0.2", "--truncate", "random:0.05"];
    let arguments = [&["train", "text", "text.txt"], &SMALL[..12], &more].concat();
    kill_and_resume(&arguments, folder, 50, last);
}

#[test]
fn other_settings_go_on_to_the_bit_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("text.txt"), text(1200, 1)).unwrap();
    let other = Backend::available().last().expect("a backend").to_string();
    for more in [
        &["--dtype", "f64", "--optimizer", "sgd", "--schedule", "warmup:20"][..],
        &["--dtype", "f64", "--embedding", "6", "--accumulate", "2", "--schedule", "decay:0.5"],
        &["--bytes", "--cell", "gru", "--optimizer", "rmsprop", "--backend", &other],
        &["--cell", "elman", "--optimizer", "adamw", "--schedule", "linear", "--lr", "0.003"],
        &["--optimizer", "rprop", "--lr", "0.0001", "--gradient", "autodiff", "--window", "8"],
    ] {
        let _ = std::fs::remove_dir_all(folder.join("runs"));
        let more: Vec<&str> = more.to_vec();
        // Flags are given once.
        let fixed: Vec<&str> =
            SMALL.chunks(2).filter(|pair| !more.contains(&pair[0])).flatten().copied().collect();
        let new = |run| {
            [&["train", "text", "text.txt", "--epochs", "2", "--out", run], &fixed[..], &more]
                .concat()
        };
        let whole = bptt(&new("runs/whole"), folder);
        assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
        // The checkpoint before the last is gone on from: the last one is torn.
        std::fs::create_dir_all(folder.join("runs/part")).unwrap();
        assert!(bptt(&new("runs/part"), folder).status.success());
        let file = folder.join("runs/part/checkpoint/last.safetensors");
        let mut bytes = std::fs::read(&file).unwrap();
        let end = bytes.len() - 9;
        bytes[end] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        let on = bptt(&["train", "text", "--resume", "runs/part", "--quiet"], folder);
        let warned = String::from_utf8(on.stderr).unwrap();
        assert!(on.status.success() && warned.contains("checksum"), "{warned}");
        assert_eq!(last(&folder.join("runs/part")), last(&folder.join("runs/whole")), "{more:?}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_run_that_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("text.txt"), text(6000, 1)).unwrap();
    let new =
        [&["train", "text", "text.txt", "--epochs", "40", "--out", "runs/a"], &SMALL[..]].concat();
    let mut child = started(&new, folder);
    wait_for_file(&mut child, &folder.join("runs/a/checkpoint/last.safetensors"));
    let interrupted =
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(wait_for_end(&mut child).code(), Some(130));
    let (_, progress) = last(&folder.join("runs/a"));
    assert!(!progress.done && progress.step > 0);
    let more = (progress.epochs.len() + 1).to_string();
    let on = json(
        &["train", "text", "--resume", "runs/a", "--epochs", &more, "--quiet", "--json"],
        folder,
    );
    assert_eq!(on["done"], true, "{on}");
}

#[test]
#[should_panic(expected = "ended with")]
fn no_test_waits_for_a_program_that_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = started(&["runs", "nowhere"], folder.path());
    wait_for_file(&mut child, &folder.path().join("never"));
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("text.txt", text(300, 1).as_bytes());
    write("latin.txt", b"one\ntwo caf\xe9\n");
    write("empty.txt", b"");
    write("strange.toml", b"hidden = 8\nhiden = 9\n");
    write("torn.toml", b"hidden = [\n");
    write("wrong.toml", b"bytes = 3\n");
    write("short.txt", b"abc");
    let small = [
        "train", "text", "text.txt", "--batch", "2", "--window", "8", "--hidden", "4", "--epochs",
        "1", "--quiet",
    ];
    assert!(bptt(&[&small[..], &["--out", "run"]].concat(), folder).status.success());
    std::fs::create_dir_all(folder.join("noise/checkpoint")).unwrap();
    for file in ["config.toml", "data.toml"] {
        std::fs::copy(folder.join("run").join(file), folder.join("noise").join(file)).unwrap();
    }
    for name in ["last", "best", "previous"] {
        write(
            &format!("noise/checkpoint/{name}.safetensors"),
            b"\xff\xff\xff\xff\xff\xff\xff\x7f{}",
        );
    }
    std::fs::create_dir(folder.join("other")).unwrap();
    let config = std::fs::read_to_string(folder.join("run/config.toml")).unwrap();
    write("other/config.toml", format!("surplus = 1\n{config}").as_bytes());
    let before = std::fs::read(folder.join("run/config.toml")).unwrap();
    for (arguments, part) in [
        (&["train", "text", "latin.txt"][..], "line 2, byte 11"),
        (&["train", "text", "absent.txt"], "absent.txt"),
        (&["train", "text", "empty.txt"], "there is no text"),
        (&["train", "text", "short.txt"], "none to validate on"),
        (&["train", "text", "text.txt", "--window", "5000"], "too few"),
        (&["train", "text", "text.txt", "--config", "strange.toml"], "unknown key 'hiden'"),
        (&["train", "text", "text.txt", "--config", "torn.toml"], "torn.toml, line 1"),
        (&["train", "text", "text.txt", "--config", "wrong.toml"], "neither true nor false"),
        (&["train", "text", "text.txt", "--config", "absent.toml"], "absent.toml"),
        (&["train", "text", "text.txt", "--schedule", "sometimes"], "is no schedule"),
        (&["train", "text", "--resume", "nowhere"], "nowhere"),
        (&["train", "text", "--resume", "run", "--hidden", "5"], "another --hidden"),
        (&["train", "text", "--resume", "run", "--optimizer", "sgd"], "another --optimizer"),
        (&["generate", "noise"], "not a whole checkpoint"),
        (&["generate", "nowhere"], "nowhere"),
        (&["generate", "other"], "unknown key 'surplus'"),
        (&["generate", "run", "--temperature", "-1"], "--temperature"),
        (&["score", "run", "latin.txt"], "line 2, byte 11"),
        (&["score", "run", "empty.txt"], "there is no text"),
        (&["report", "noise"], "not a whole checkpoint"),
        (&["runs", "nowhere"], "nowhere"),
    ] {
        let output = bptt(arguments, folder);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    // A run that was refused to go on is as it was.
    assert_eq!(std::fs::read(folder.join("run/config.toml")).unwrap(), before);
}

#[test]
fn a_folder_s_files_that_are_no_text_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let lines = text(600, 1);
    std::fs::create_dir(folder.join("texts")).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    let utf16 = |mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        mark.into_iter().chain(lines.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    write("texts/a.txt", lines.as_bytes());
    write("texts/b_latin1.txt", b"one\ntwo caf\xe9\n");
    write("texts/c_utf16.txt", &utf16(true));
    write("texts/d_utf16_without_mark.txt", &utf16(false));
    write("texts/.e_hidden", b"hidden");
    let output = bptt(
        &[&["train", "text", "texts", "--out", "run", "--epochs", "1"], &SMALL[..]].concat(),
        folder,
    );
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    for words in [
        "c_utf16.txt: read as UTF-16, little-endian",
        "texts: 3 of its 5 files left out: .e_hidden (hidden), b_latin1.txt (line 2, byte 11 is not UTF-8), d_utf16_without_mark.txt (it looks like UTF-16",
    ] {
        assert!(
            said.lines().any(|line| line.starts_with("note: ") && line.contains(words)),
            "{said}"
        );
    }
    // Both that are read are the same text.
    let data = std::fs::read_to_string(folder.join("run/data.toml")).unwrap();
    let data: toml::Table = data.parse().unwrap();
    let steps = data["training"].as_integer().unwrap() + data["valid"].as_integer().unwrap();
    assert_eq!(steps as usize, 2 * lines.chars().count());
    // What is named is read or refused.
    let nuls: String = lines.split_inclusive('\n').map(|line| format!("{line}\0")).collect();
    write("nuls.txt", nuls.as_bytes());
    for (name, words) in [
        ("nuls.txt", "it is no text"),
        ("texts/b_latin1.txt", "iconv -f LATIN1"),
        ("texts/d_utf16_without_mark.txt", "looks like UTF-16 without a byte order mark"),
    ] {
        for arguments in [&["train", "text", name][..], &["score", "run", name]] {
            let output = bptt(arguments, folder);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(said.lines().count() == 1 && said.contains(words), "{arguments:?}: {said}");
        }
    }
    assert!(!folder.join("runs").exists());
    let nats = |file: &str| json(&["score", "run", file, "--json"], folder)["nats"].clone();
    assert_eq!(nats("texts/a.txt"), nats("texts/c_utf16.txt"));
}

#[test]
fn a_model_maps_over_its_weights() {
    // The numbering that ties the optimizer's record to the weights reaches each of them once.
    let vocabulary = Vocabulary::of("ab", 1);
    let mut random = Random::seed_from_u64(1);
    let model: CharacterModel<Recurrent<Lstm>> = CharacterModel::new(
        Lstm::default(),
        vocabulary.classes(),
        Some(3),
        [4, 2],
        |config| config,
        (&Device::default(), DType::F32),
        &mut random,
    );
    let numbered = bptt::train::checkpoint::numbered(model);
    let ids: Vec<u64> = burn::module::list_param_ids(&numbered).iter().map(|id| id.val()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    assert_eq!(numbered.num_params(), 3 * 3 + (3 + 4) * 16 + 32 + (4 + 4) * 16 + 32 + 4 * 3 + 3);
}
