//! The generated tasks: what is drawn, what can be had without memory, and that a run comes back as it was.

use bptt::backend::Backend;
use bptt::cell;
use bptt::data::reber::{EmbeddedReberString, SYMBOLS};
use bptt::data::task::{Asked, Declaration, Measure, Sequences, TASKS, Task};
use bptt::nn::{Gradient, Precision, Truncation};
use bptt::random::{Random, SeedableRng};
use bptt::train::lessons::{Computing, Progress, Settings, learn};
use bptt::train::run::{Run, RunConfig};
use bptt::train::task::{
    NetworkSettings, Start, TaskLessons, TestedSteps, answers, beginner, gradient_norms,
};
use bptt::train::task_run::{Drawn, Sizes, TaskRun, TaskSubject};
use bptt::train::{DataType, OptimizerName, Schedule};
use burn::tensor::{DType, Tensor};
use std::path::Path;

/// Each task, with small sizes.
const ALL: [(&str, &[usize]); 4] =
    [("adding", &[40]), ("copy", &[12]), ("order", &[40]), ("reber", &[])];

fn task(name: &str, sizes: &[usize]) -> Box<dyn Task> {
    let declared = Declaration::named(name).unwrap();
    assert_eq!(declared.sizes.len(), sizes.len());
    (declared.make)(sizes).unwrap()
}

fn drawn(name: &str, sizes: &[usize], batch: usize, seed: u64) -> (Box<dyn Task>, Sequences) {
    let task = task(name, sizes);
    let sequences = task.draw(batch, &mut Random::seed_from_u64(seed));
    (task, sequences)
}

#[test]
fn every_declared_task_is_tested_here_and_its_default_sizes_make_sense() {
    let names: Vec<&str> = TASKS.iter().map(|task| task.name).collect();
    assert_eq!(names, ALL.map(|(name, _)| name));
    assert!(TASKS.iter().all(|task| task.default().time() > 0));
}

#[test]
fn what_is_drawn_has_its_shape_and_is_the_same_for_the_same_seed() {
    for (name, sizes) in ALL {
        let (task, sequences) = drawn(name, sizes, 17, 3);
        assert_eq!(sequences, drawn(name, sizes, 17, 3).1);
        assert_ne!(sequences, drawn(name, sizes, 17, 4).1);
        let steps = 17 * sequences.time;
        assert_eq!(sequences.input.len(), steps * task.features());
        let answers = if task.asked() == Asked::AtTheEnd { 17 } else { steps };
        assert_eq!(sequences.target.len(), answers * task.outputs());
        assert_eq!(sequences.lengths.iter().max(), Some(&sequences.time));
        if name != "reber" {
            assert_eq!(sequences.time, task.time());
        }
    }
}

#[test]
fn the_answers_are_those_of_the_definition() {
    let (_, adding) = drawn("adding", &[40], 500, 1);
    for (row, sum) in adding.input.chunks_exact(80).zip(&adding.target) {
        let marked: Vec<usize> = (0..40).filter(|t| row[2 * t + 1] == 1.0).collect();
        assert!(marked.len() == 2 && marked[0] < 10 && marked[1] < 20, "{marked:?}");
        assert_eq!(row[2 * marked[0]] + row[2 * marked[1]], *sum);
    }
    let (_, copy) = drawn("copy", &[12], 50, 1);
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
    let (_, order) = drawn("order", &[40], 200, 1);
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
fn chance_is_what_can_be_had_without_memory() {
    // The best constant answer, measured on many draws.
    let (adding, sequences) = drawn("adding", &[30], 40_000, 5);
    let errors: Vec<f64> = sequences.target.iter().map(|y| (1.0 - y).powi(2)).collect();
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let variance = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / errors.len() as f64;
    let standard_error = (variance / errors.len() as f64).sqrt();
    assert!((mean - adding.chance()).abs() < 4.0 * standard_error, "{mean}");
    let right = (0..40_000).filter(|&row| adding.is_right(&sequences, row, &[1.0])).count();
    let (right, chance) = (right as f64 / 40_000.0, adding.chance_right());
    assert!((right - chance).abs() < 4.0 * (chance / 40_000.0).sqrt(), "{right}");
    // 10 ln 8 / (T + 20), and one of four classes.
    let (copy, _) = drawn("copy", &[100], 1, 1);
    assert!((copy.chance() - 10.0 * 8f64.ln() / 120.0).abs() < 1e-15);
    let (order, sequences) = drawn("order", &[30], 40_000, 5);
    for class in 0..4 {
        let of_class = sequences.target.chunks_exact(4).filter(|t| t[class] == 1.0).count();
        assert!((of_class as f64 - 10_000.0).abs() < 4.0 * 7500f64.sqrt(), "{of_class}");
    }
    assert_eq!((order.chance(), order.measure()), (4f64.ln(), Measure::CrossEntropy));
}

/// The current symbol and the next one at each step of many strings.
fn pairs(sequences: &Sequences) -> impl Iterator<Item = (usize, usize)> {
    let place = |row: &[f64]| row.iter().position(|&x| x == 1.0);
    let steps = sequences.input.chunks_exact(7).zip(sequences.target.chunks_exact(7));
    steps.filter_map(move |(input, target)| Some((place(input)?, place(target)?)))
}

#[test]
fn the_current_symbol_alone_tells_as_much_of_the_next_as_chance_says() {
    const STRINGS: usize = 40_000;
    let (reber, sequences) = drawn("reber", &[], STRINGS, 5);
    let mut counts = [[0.0; 7]; 7];
    pairs(&sequences).for_each(|(current, next)| counts[current][next] += 1.0);
    let logarithms = counts.map(|row| {
        let current: f64 = row.iter().sum();
        row.map(|count| (count / current).ln())
    });
    let losses: Vec<f64> =
        pairs(&sequences).map(|(current, next)| -logarithms[current][next]).collect();
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    // The steps of a string hang together, so the error is that of the strings' sums about their lengths.
    let mut steps = losses.iter();
    let apart = sequences.lengths.iter().map(|&length| {
        let sum: f64 = steps.by_ref().take(length).sum();
        (sum - mean * length as f64).powi(2)
    });
    let error = apart.sum::<f64>().sqrt() / losses.len() as f64;
    println!("{mean} +- {error}, chance {}", reber.chance());
    assert!((mean - reber.chance()).abs() < 4.0 * error, "{mean} {error} {}", reber.chance());
    assert!((reber.chance() - 1.272).abs() < 0.001 && error < 0.001);

    // The best forecast of that kind as the answer: no string is right.
    let width = 7 * sequences.time;
    for row in 0..500 {
        let input = &sequences.input[row * width..(row + 1) * width];
        let outputs: Vec<f64> = input
            .chunks_exact(7)
            .flat_map(|step| {
                let current = step.iter().position(|&x| x == 1.0);
                current.map_or([0.0; 7], |current| logarithms[current].map(f64::exp))
            })
            .collect();
        assert!(!reber.is_right(&sequences, row, &outputs), "row {row}");
    }
    assert_eq!(reber.chance_right(), 0.0);
}

#[test]
fn legal_successors_have_to_be_on_top_and_nothing_else() {
    let (reber, sequences) = drawn("reber", &[], 3, 9);
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

fn config(name: &str, sizes: &[usize], gradient: Gradient) -> RunConfig<TaskSubject> {
    let declared = Declaration::named(name).unwrap();
    let names = declared.sizes.iter().map(|size| size.name.to_string());
    let network = NetworkSettings {
        hidden: 6,
        layers: 2,
        start: Start::Orthogonal,
        forget_bias: Some(1.0),
        remember: None,
    };
    RunConfig {
        format: 2,
        version: "0".into(),
        task: name.into(),
        subject: TaskSubject { sizes: Sizes(names.zip(sizes.iter().copied()).collect()), network },
        cell: "lstm".into(),
        dtype: DataType::F64,
        backend: Backend::available()[0],
        gradient,
        truncate: Truncation::Full,
        memory_budget: None,
        precision: Precision::Full,
        training: Settings {
            seed: 4,
            dropout: 0.0,
            batch: 5,
            accumulate: 1,
            optimizer: OptimizerName::Adam,
            lr: 0.01,
            schedule: Schedule::Constant,
            clip: 0.05,
            early_stop: None,
            checkpoint_every: 100,
        },
        length: TestedSteps { steps: 11, test_every: 3, test: 20, all_steps: true },
    }
}

/// Begins the run of that configuration and trains it.
fn trained(folder: &Path, config: RunConfig<TaskSubject>) -> (TaskRun, Progress) {
    let run = TaskRun::begin(folder, config, Drawn {}).unwrap();
    let task = run.task().unwrap();
    let RunConfig { training, length, subject, gradient, .. } = &run.config;
    let computing = Computing {
        truncation: Truncation::Full,
        memory_budget: None,
        precision: Precision::Full,
        gradient: *gradient,
        dtype: DType::F64,
        device: run.config.backend.device().unwrap(),
    };
    let lstm = cell::Lstm::default();
    let network = beginner(lstm, task.as_ref(), &subject.network, training, &computing).unwrap();
    let lessons = TaskLessons::new(task.as_ref(), training, *length, &computing);
    let (_, progress) =
        learn(&lessons, network, training, &computing, folder, None, |_| true).unwrap();
    (run, progress)
}

#[test]
fn both_paths_learn_the_same() {
    for (name, sizes) in ALL {
        let fit = |gradient| {
            let folder = tempfile::tempdir().unwrap();
            trained(folder.path(), config(name, sizes, gradient)).1
        };
        let (manual, autodiff) = (fit(Gradient::Manual), fit(Gradient::Autodiff));
        let steps: Vec<usize> = manual.epochs.iter().map(|epoch| epoch.steps).collect();
        assert_eq!((manual.step, steps), (11, vec![3, 6, 9, 11]));
        let losses = |progress: &Progress| -> Vec<f64> {
            let both = progress.epochs.iter().map(|epoch| [epoch.valid_loss, epoch.train_loss]);
            both.flatten().collect()
        };
        for (a, b) in losses(&manual).iter().zip(losses(&autodiff)) {
            assert!((a - b).abs() <= 1e-11 * b, "{name}: {a} {b}");
        }
        assert_ne!(manual.epochs[0].score(), manual.epochs[3].score());
        assert_eq!(fit(Gradient::Manual), manual);
    }
}

#[test]
fn a_run_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let asked = config("order", &[15], Gradient::Manual);
    let (run, progress) = trained(folder.path(), asked.clone());
    let Run::Task(opened) = Run::open(folder.path()).unwrap() else { panic!("another kind") };
    assert_eq!((&opened.config, &run.config), (&asked, &asked));
    let standing = opened.standing().unwrap();
    assert_eq!((standing.progress, standing.done), (progress.clone(), true));
    let best = progress.best().unwrap();
    let measures: Vec<f64> = standing.measures.iter().map(|measure| measure.value).collect();
    assert_eq!(measures, [best.right.unwrap(), best.valid_loss]);

    let (task, device) = (opened.task().unwrap(), asked.backend.device().unwrap());
    let ([before, after], refused) = opened.networks(&device, DType::F64).unwrap();
    assert!(refused.is_empty());
    let lessons_test = task.draw(20, &mut Random::seed_from_u64(4 + (2 << 32)));
    let score = |network| {
        bptt::train::task::score(network, task.as_ref(), &lessons_test, &device, DType::F64)
    };
    assert_eq!(score(&after), best.score());
    assert_ne!(score(&before), score(&after));
    let answers: Tensor<3> = answers(&after, task.as_ref(), &lessons_test, &device, DType::F64);
    assert_eq!(answers.dims(), [20, 1, 4]);

    let path = folder.path().join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to, word) in [
        ("hidden = 6", "hidden = \"six\"", "string"),
        ("hidden = 6", "hiden = 6", "hidden"),
        ("steps = 11", "steps = 11\nepochs = 3", "epochs"),
        ("format = 2", "format = 3", "format 3"),
        ("task = \"order\"", "task = \"disorder\"", "disorder"),
    ] {
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let refused = Run::open(folder.path()).unwrap_err().to_string();
        assert!(refused.contains(word) && !refused.contains('\n'), "{refused}");
    }
    for (from, to) in [("time = 15", ""), ("time = 15", "delay = 15"), ("time = 15", "time = 3")] {
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let refused = TaskRun::open(folder.path()).unwrap().task().err().unwrap().to_string();
        assert!(refused.contains("time"), "{refused}");
    }
    std::fs::write(&path, text.replace("hidden = 6", "hidden = 7")).unwrap();
    let other = TaskRun::open(folder.path()).unwrap();
    let refused = other.networks(&device, DType::F64).unwrap_err().to_string();
    assert!(refused.contains("changed by hand"), "{refused}");
}

#[test]
fn how_far_back_a_network_listens_is_the_gradient_of_its_last_loss() {
    for (name, sizes) in ALL {
        let folder = tempfile::tempdir().unwrap();
        let (run, _) = trained(folder.path(), config(name, sizes, Gradient::Manual));
        let (task, device) = (run.task().unwrap(), run.config.backend.device().unwrap());
        let ([_, network], _) = run.networks(&device, DType::F64).unwrap();
        let sequences = task.draw(6, &mut Random::seed_from_u64(7)).whole_rows();
        let norms = gradient_norms(&network, task.as_ref(), &sequences, &device, DType::F64);
        let norms = norms.unwrap();
        let [input, d_hidden] =
            bptt::train::task::each_loss(&network, task.as_ref(), &sequences, &device, DType::F64);
        let flow = network.recurrent.flow(input, d_hidden, true).unwrap();
        for (states, layer) in norms.iter().zip(&flow.layers) {
            for (state, whole) in states.iter().zip(&layer.states) {
                assert_eq!(state.gradient_norm.len(), sequences.time);
                for (a, b) in state.gradient_norm.iter().zip(&whole.gradient_norm) {
                    assert!((a - b).abs() <= 1e-12 * b, "{name}: {a} {b}");
                }
            }
        }
        assert!(norms[1][0].gradient_norm.iter().all(|norm| *norm > 0.0));
    }
}
