//! The generated tasks: what is drawn, what chance is, and that a run comes back as it was.

use bptt::backend::Backend;
use bptt::cell;
use bptt::data::reber::{EmbeddedReberString, SYMBOLS};
use bptt::data::task::{Asked, Measure, Sequences, Task, TaskSettings};
use bptt::nn::{Gradient, Random, Truncation};
use bptt::train::task::{NetworkSettings, Settings, Start, answers, train};
use bptt::train::task_run::{TaskConfig, TaskRun, TaskRunError};
use burn::tensor::{DType, Tensor};
use rand::SeedableRng;

const ALL: [TaskSettings; 4] = [
    TaskSettings::Adding { time: 40 },
    TaskSettings::Copy { delay: 12 },
    TaskSettings::Order { time: 40 },
    TaskSettings::Reber,
];

fn drawn(settings: TaskSettings, batch: usize, seed: u64) -> (Box<dyn Task>, Sequences) {
    let task = settings.task().unwrap();
    let sequences = task.draw(batch, &mut Random::seed_from_u64(seed));
    (task, sequences)
}

#[test]
fn what_is_drawn_has_its_shape_and_is_the_same_for_the_same_seed() {
    for settings in ALL {
        let (task, sequences) = drawn(settings, 17, 3);
        assert_eq!(sequences, drawn(settings, 17, 3).1);
        assert_ne!(sequences, drawn(settings, 17, 4).1);
        let steps = 17 * sequences.time;
        assert_eq!(sequences.input.len(), steps * task.features());
        let answers = if task.asked() == Asked::AtTheEnd { 17 } else { steps };
        assert_eq!(sequences.target.len(), answers * task.outputs());
        assert_eq!(sequences.lengths.iter().max(), Some(&sequences.time));
    }
}

#[test]
fn the_answers_are_those_of_the_definition() {
    let (_, adding) = drawn(TaskSettings::Adding { time: 40 }, 500, 1);
    for (row, sum) in adding.input.chunks_exact(80).zip(&adding.target) {
        let marked: Vec<usize> = (0..40).filter(|t| row[2 * t + 1] == 1.0).collect();
        assert!(marked.len() == 2 && marked[0] < 10 && marked[1] < 20, "{marked:?}");
        assert_eq!(row[2 * marked[0]] + row[2 * marked[1]], *sum);
    }
    let (_, copy) = drawn(TaskSettings::Copy { delay: 12 }, 50, 1);
    let symbols = |row: &[f64], width: usize| -> Vec<usize> {
        row.chunks_exact(width)
            .map(|step| {
                assert_eq!(step.iter().sum::<f64>(), 1.0);
                step.iter().position(|&x| x == 1.0).unwrap()
            })
            .collect()
    };
    for (row, target) in copy.input.chunks_exact(32 * 10).zip(copy.target.chunks_exact(32 * 9)) {
        let (heard, said) = (symbols(row, 10), symbols(target, 9));
        assert!(heard[..10].iter().all(|&s| s < 8) && heard[..10] == said[22..]);
        assert!(heard[10..21].iter().all(|&s| s == 8) && heard[21] == 9);
        assert!(heard[22..].iter().all(|&s| s == 8) && said[..22].iter().all(|&s| s == 8));
    }
    let (_, order) = drawn(TaskSettings::Order { time: 40 }, 200, 1);
    for (row, target) in order.input.chunks_exact(40 * 6).zip(order.target.chunks_exact(4)) {
        let seen = symbols(row, 6);
        let places: Vec<usize> = (0..40).filter(|&t| seen[t] >= 4).collect();
        assert!(places.len() == 2 && (4..8).contains(&places[0]) && (20..24).contains(&places[1]));
        let class = 2 * (seen[places[0]] - 4) + seen[places[1]] - 4;
        assert_eq!(target[class], 1.0);
    }
}

/// Whether the embedded grammar has the string, by its regular expression, and without the generator's
/// table: `B(TBT…TE|PB…PE)` where the inner string is `T S* X (X? …)`.
fn accepted(symbols: &str) -> bool {
    let inner = symbols.strip_prefix("BT").and_then(|s| s.strip_suffix("TE"));
    let inner = inner.or_else(|| symbols.strip_prefix("BP").and_then(|s| s.strip_suffix("PE")));
    let Some(inner) = inner.and_then(|s| s.strip_prefix('B')).and_then(|s| s.strip_suffix('E'))
    else {
        return false;
    };
    // From state 3, `XT*VP` comes back to it: X leads to state 2, T stays, V leads to 4, P back to 3.
    match inner.split_at(1) {
        ("T", rest) => rest.trim_start_matches('S').strip_prefix('X').is_some_and(from_state_3),
        ("P", rest) => rest.trim_start_matches('T').strip_prefix('V').is_some_and(from_state_4),
        _ => false,
    }
}

fn from_state_3(rest: &str) -> bool {
    rest == "S"
        || rest.strip_prefix('X').is_some_and(|rest| {
            rest.trim_start_matches('T').strip_prefix('V').is_some_and(from_state_4)
        })
}

fn from_state_4(rest: &str) -> bool {
    rest == "V" || rest.strip_prefix('P').is_some_and(from_state_3)
}

#[test]
fn reber_strings_are_of_the_grammar_and_their_successors_are_all_there_are() {
    let mut random = Random::seed_from_u64(2);
    let strings: Vec<EmbeddedReberString> =
        (0..20_000).map(|_| EmbeddedReberString::draw(&mut random)).collect();
    let word = |symbols: &[usize]| symbols.iter().map(|&s| SYMBOLS[s]).collect::<String>();
    let mut after = std::collections::BTreeMap::<String, std::collections::BTreeSet<usize>>::new();
    for string in &strings {
        assert!(accepted(&word(&string.symbols)), "{}", word(&string.symbols));
        assert_eq!(string.legal.len() + 1, string.symbols.len());
        for (t, legal) in string.legal.iter().enumerate() {
            assert!(legal.contains(&string.symbols[t + 1]));
            // Short beginnings come often enough for every successor to be seen.
            if t < 6 {
                let seen = after.entry(word(&string.symbols[..=t])).or_default();
                seen.insert(string.symbols[t + 1]);
            }
        }
    }
    for string in &strings {
        for (t, legal) in string.legal.iter().enumerate().take(6) {
            let seen = &after[&word(&string.symbols[..=t])];
            assert_eq!(seen, &legal.iter().copied().collect(), "{}", word(&string.symbols));
        }
    }
    assert!(!accepted("BTBTXSEPE") && accepted("BTBTXSETE") && !accepted("BTBTSSETE"));
}

#[test]
fn chance_is_what_whoever_remembers_nothing_gets() {
    // The best constant answer, measured on many draws.
    let (adding, sequences) = drawn(TaskSettings::Adding { time: 30 }, 40_000, 5);
    let errors: Vec<f64> = sequences.target.iter().map(|y| (1.0 - y).powi(2)).collect();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let variance = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / errors.len() as f64;
    let standard_error = (variance / errors.len() as f64).sqrt();
    assert!((mean - adding.chance()).abs() < 4.0 * standard_error, "{mean}");
    let right = (0..40_000).filter(|&row| adding.is_right(&sequences, row, &[1.0])).count();
    let (right, chance) = (right as f64 / 40_000.0, adding.chance_right());
    assert!((right - chance).abs() < 4.0 * (chance / 40_000.0).sqrt(), "{right}");
    // 10 ln 8 / (T + 20), and one of four classes.
    let (copy, _) = drawn(TaskSettings::Copy { delay: 100 }, 1, 1);
    assert!((copy.chance() - 10.0 * 8f64.ln() / 120.0).abs() < 1e-15);
    let (order, sequences) = drawn(TaskSettings::Order { time: 30 }, 40_000, 5);
    for class in 0..4 {
        let of_class = sequences.target.chunks_exact(4).filter(|t| t[class] == 1.0).count();
        assert!((of_class as f64 - 10_000.0).abs() < 4.0 * 7500f64.sqrt(), "{of_class}");
    }
    assert_eq!((order.chance(), order.measure()), (4f64.ln(), Measure::CrossEntropy));
}

#[test]
fn legal_successors_have_to_be_on_top_and_nothing_else() {
    let (reber, sequences) = drawn(TaskSettings::Reber, 3, 9);
    let right = sequences.right.clone().unwrap();
    let width = 7 * sequences.time;
    let as_outputs: Vec<f64> = right.iter().map(|&right| f64::from(right)).collect();
    for row in 0..3 {
        let outputs = &as_outputs[row * width..(row + 1) * width];
        assert!(reber.is_right(&sequences, row, outputs));
        for t in 0..sequences.lengths[row] {
            let mut wrong = outputs.to_vec();
            let illegal = (0..7).find(|i| outputs[7 * t + i] == 0.0).unwrap();
            wrong[7 * t + illegal] = 1.0;
            assert!(!reber.is_right(&sequences, row, &wrong), "row {row}, step {t}");
        }
    }
}

fn settings(gradient: Gradient) -> Settings {
    Settings {
        network: NetworkSettings {
            hidden: 6,
            layers: 2,
            start: Start::Orthogonal,
            forget_bias: Some(1.0),
            remember: None,
            seed: 4,
        },
        steps: 12,
        batch: 5,
        learning_rate: 0.01,
        clip: 0.05,
        test_every: 3,
        test: 20,
        all_steps: true,
        truncation: Truncation::Full,
        memory_budget: None,
        gradient,
        dtype: DType::F64,
        device: Backend::available()[0].device().unwrap(),
    }
}

#[test]
fn both_paths_learn_the_same() {
    for chosen in ALL {
        let task = chosen.task().unwrap();
        let fit = |gradient| {
            train(cell::Lstm::default(), task.as_ref(), &settings(gradient), |_, _, _| {}).unwrap()
        };
        let (manual, autodiff) = (fit(Gradient::Manual), fit(Gradient::Autodiff));
        assert_eq!((manual.steps, manual.tests.len()), (12, 4));
        let losses = |fit: &bptt::train::task::Fit<cell::Lstm>| -> Vec<f64> {
            let tests = fit.tests.iter().map(|score| score.loss);
            tests.chain(fit.train_losses.iter().copied()).collect()
        };
        for (a, b) in losses(&manual).iter().zip(losses(&autodiff)) {
            assert!((a - b).abs() <= 1e-11 * b, "{chosen:?}: {a} {b}");
        }
        assert_ne!(manual.tests[0], manual.tests[3]);
        let again = fit(Gradient::Manual);
        assert_eq!((again.tests, again.train_losses), (manual.tests, manual.train_losses));
    }
}

#[test]
fn a_run_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let chosen = TaskSettings::Order { time: 15 };
    let task = chosen.task().unwrap();
    let settings = settings(Gradient::Manual);
    let lstm = cell::Lstm::default();
    let fit = train(lstm, task.as_ref(), &settings, |_, _, _| {}).unwrap();
    let config = TaskConfig {
        version: "0".into(),
        cell: "lstm".into(),
        dtype: "f64".into(),
        backend: "flex".into(),
        gradient: "manual".into(),
        truncate: "full".into(),
        steps: 12,
        batch: 5,
        lr: 0.01,
        clip: 0.05,
        task: chosen,
        network: settings.network.clone(),
    };
    TaskRun::save(folder.path(), config.clone(), &fit.network).unwrap();
    let run = TaskRun::open(folder.path()).unwrap();
    assert_eq!(run.config, config);
    let [before, after] = run.networks(lstm, &settings.device, DType::F64).unwrap();
    let sequences = task.draw(4, &mut Random::seed_from_u64(8));
    let said = |network| -> Vec<f64> {
        let answers: Tensor<3> =
            answers(network, task.as_ref(), &sequences, &settings.device, DType::F64);
        answers.into_data().try_to_vec().unwrap()
    };
    assert_eq!(said(&after), said(&fit.network));
    assert_ne!(said(&before), said(&after));

    let path = folder.path().join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to, word) in [
        ("hidden = 6", "hidden = \"six\"", "line"),
        ("hidden = 6", "hiden = 6", "hidden"),
        ("steps = 12", "steps = 12\nepochs = 3", "epochs"),
    ] {
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let refused = TaskRun::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains(word) && !refused.contains('\n'), "{refused}");
    }
    std::fs::write(&path, text.replace("hidden = 6", "hidden = 7")).unwrap();
    let other = TaskRun::open(folder.path()).unwrap();
    let refused = other.networks(lstm, &settings.device, DType::F64).unwrap_err();
    assert!(matches!(refused, TaskRunError::Weights(_)), "{refused}");
}
