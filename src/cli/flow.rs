//! `bptt flow`: how the gradient flows through time, in pictures, a page and a table.

use super::Failure;
use super::options::{Compute, bytes, size};
use super::output::{self, Output, page_table, warn};
use bptt::cell;
use bptt::data::adding::Adding;
use bptt::data::count::CountTask;
use bptt::data::task::{Asked, Sequences, Task};
use bptt::data::text::{Sampling, UNKNOWN};
use bptt::model::panel::Past;
use bptt::nn::{AnyCell, Recurrent};
use bptt::plot::gates::{Gate, Gates};
use bptt::plot::gradient_by_time::{Curve, GradientByTime};
use bptt::plot::lag_maps::{LagMap, LagMaps};
use bptt::plot::page::{Page, Section, Table};
use bptt::random::{Random, SeedableRng};
use bptt::recurrence::flow::{Flow, LayerFlow, StateFlow};
use bptt::report::{brief, lags};
use bptt::train::count;
use bptt::train::count_run::CountRun;
use bptt::train::lessons::Trained;
use bptt::train::memory::check_memory;
use bptt::train::panel::Taught;
use bptt::train::panel_input::taught;
use bptt::train::panel_run::PanelRun;
use bptt::train::run::{Run, RunOf};
use bptt::train::sequence::SequenceSubject;
use bptt::train::series_run::{self, AUTOREGRESSION, SeriesRun};
use bptt::train::task::{NetworkSettings, Start, each_loss, network};
use bptt::train::task_run::TaskRun;
use burn::tensor::{DType, Device, Tensor};
use clap::builder::PossibleValuesParser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How the gradient flows through time: by time, by lag, through gates, before and after training
///
/// For a RUN: its network before and after training, on new sequences of its task, on what a model of a text or
/// a sound has drawn, or on pasts of a series. Without RUN: untrained networks of the cells, side by side on the
/// same sequences of the adding problem. The table holds how much of the loss of the last step reaches
/// each state some steps earlier, as a share of what reaches the last hidden state.
///
/// Example: bptt flow --cell elman,gru,lstm --time 100
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Folder of a run
    run: Option<PathBuf>,
    /// Cells, separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "elman,gru,lstm", value_parser = PossibleValuesParser::new(cell::names()), conflicts_with = "run")]
    cell: Vec<String>,
    /// Steps of the sequences [default: 100, or those of the run]
    #[arg(long, value_name = "N", value_parser = size, conflicts_with = "run")]
    time: Option<usize>,
    /// Hidden units
    #[arg(long, value_name = "N", default_value = "32", value_parser = size, conflicts_with = "run")]
    hidden: usize,
    /// Layers
    #[arg(long, value_name = "N", default_value = "1", value_parser = size, conflicts_with = "run")]
    layers: usize,
    /// Sequences
    #[arg(long, value_name = "N", default_value = "8", value_parser = size)]
    batch: usize,
    /// Bias of the gate that keeps the old state: the lstm's forget gate, the gru's update gate
    #[arg(long, value_name = "X", default_value = "1", allow_negative_numbers = true, value_parser = super::options::number, conflicts_with = "run")]
    forget_bias: f64,
    #[command(flatten)]
    compute: Compute,
    #[command(flatten)]
    output: Output,
}

/// The flow of one network.
struct Seen {
    cell: String,
    /// Before or after training, of a run.
    moment: Option<&'static str>,
    flow: Flow,
}

impl Seen {
    fn name(&self) -> String {
        match self.moment {
            Some(moment) => format!("{} {moment} training", self.cell),
            None => self.cell.clone(),
        }
    }

    /// The name of a layer, where there are several.
    fn layer_name(&self, layer: usize) -> String {
        match self.flow.layers.len() {
            1 => self.name(),
            _ => format!("{}, layer {}", self.name(), layer + 1),
        }
    }

    fn top(&self) -> &LayerFlow {
        self.flow.layers.last().expect("a layer")
    }

    /// What the last step's loss hands to the last hidden state of the top layer.
    fn start(&self) -> f64 {
        self.top().states[0].lag_map.last().map_or(0.0, |lags| lags[0])
    }

    /// The share of it that reaches a state some steps earlier.
    fn share(&self, state: &StateFlow, lag: usize) -> f64 {
        state.lag_map.last().and_then(|lags| lags.get(lag)).map_or(f64::NAN, |g| g / self.start())
    }
}

/// What `--json` prints: the first network's flow at hand, and those of all.
#[derive(serde::Serialize)]
struct Report<'a> {
    gradient_norm: &'a [f64],
    lag_map: &'a [Vec<f64>],
    jacobian_norm: &'a [f64],
    rows: Vec<Row<'a>>,
    files: &'a [PathBuf],
}

#[derive(serde::Serialize)]
struct Row<'a> {
    cell: &'a str,
    moment: Option<&'static str>,
    #[serde(flatten)]
    flow: &'a Flow,
}

/// What is looked at, in words.
struct Scene {
    /// `adding`.
    name: String,
    /// `adding problem (Hochreiter & Schmidhuber 1997): 200 steps`.
    setting: String,
    /// `sequences`.
    rows: &'static str,
    batch: usize,
    time: usize,
}

impl Scene {
    fn size(&self) -> String {
        format!("{} {} of {} steps", self.batch, self.rows, self.time)
    }
}

/// The arguments, and where to compute.
struct Where<'a> {
    arguments: &'a Arguments,
    device: &'a Device,
    dtype: DType,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let device = arguments.compute.device()?;
    let dtype = DType::from(arguments.compute.dtype);
    let place = Where { arguments, device: &device, dtype };
    let (seen, scene) = match &arguments.run {
        None => place.untrained()?,
        Some(folder) => match Run::open(folder)? {
            Run::Count(run) => place.count(&run)?,
            Run::Task(run) => place.task(&run)?,
            Run::Text(run) => place.sequence(&*run)?,
            Run::Sound(run) => place.sequence(&*run)?,
            Run::Series(run) => place.series(&run)?,
            Run::Panel(run) => place.panel(&run)?,
        },
    };
    let folder = match &arguments.run {
        Some(run) => arguments.output.folder_or(run)?,
        None => arguments.output.folder_or("runs/flow".as_ref())?,
    };
    let files = write(&seen, &scene, &folder)?;
    let first = &seen[0];
    let report = Report {
        gradient_norm: &first.flow.gradient_norm,
        lag_map: &first.top().states[0].lag_map,
        jacobian_norm: &first.top().jacobian_norm,
        rows: seen
            .iter()
            .map(|seen| Row { cell: &seen.cell, moment: seen.moment, flow: &seen.flow })
            .collect(),
        files: &files,
    };
    let mut text = format!("{}\n\n", described(&scene));
    text += &page_table(&lag_table(&seen));
    text += "\n";
    text += &page_table(&what_lets_through(&seen));
    text += "\n";
    output::wrote(&mut text, &files);
    arguments.output.print(&report, &text)?;
    Ok(ExitCode::SUCCESS)
}

impl Where<'_> {
    /// Refuses what does not fit memory: the lag map of the widest cell at its first step, with what the derivative works
    /// with.
    fn fits(&self, [time, batch, hidden, layers]: [usize; 4]) -> Result<(), Failure> {
        let [time, batch, hidden, layers] = [time, batch, hidden, layers].map(|n| n as f64);
        let numbers = time * time / 2.0 * batch * (hidden * layers + 4.0)
            + 24.0 * (time + hidden) * batch * hidden;
        let bytes = numbers * bytes(self.arguments.compute.dtype);
        Ok(check_memory(bytes, "--time, --batch, --layers or --hidden")?)
    }

    /// Sequences of a task that no training has drawn. Any time may have been asked for: its size is looked at first.
    fn draw(&self, task: &dyn Task, network: &NetworkSettings) -> Result<Sequences, Failure> {
        let (batch, seed) = (self.arguments.batch, self.arguments.compute.seed);
        let drawn = task.time() as f64 * batch as f64 * (task.features() + 1) as f64;
        check_memory(16.0 * drawn, "--time, --batch, --layers or --hidden")?;
        let mut random = Random::seed_from_u64(seed.wrapping_add(3 << 32));
        let sequences = task.draw(batch, &mut random).whole_rows();
        let Sequences { time, batch, .. } = sequences;
        self.fits([time, batch, network.hidden, network.layers])?;
        Ok(sequences)
    }

    fn untrained(&self) -> Result<(Vec<Seen>, Scene), Failure> {
        let Arguments { cell, time, hidden, layers, compute, .. } = self.arguments;
        let task = Adding::new(time.unwrap_or(100))?;
        let (hidden, layers, start) = (*hidden, *layers, Start::Uniform);
        let settings = NetworkSettings { hidden, layers, start, forget_bias: None, remember: None };
        let sequences = self.draw(&task, &settings)?;
        let mut seen = Vec::new();
        for name in cell {
            let cell = AnyCell::named(name).expect("clap knows the names");
            let gated = cell.remembering_gate().is_some();
            let forget_bias = gated.then_some(self.arguments.forget_bias);
            let settings = NetworkSettings { forget_bias, ..settings.clone() };
            let options = (self.device, self.dtype);
            let network =
                network(cell, &task, (&settings, compute.seed), |config| config, options)?;
            let [input, d_hidden] = each_loss(&network, &task, &sequences, self.device, self.dtype);
            let flow = network.recurrent.flow(input, d_hidden, true)?;
            seen.push(Seen { cell: name.into(), moment: None, flow });
        }
        Ok((seen, scene("adding", &task, &sequences)))
    }

    fn task(&self, run: &TaskRun) -> Result<(Vec<Seen>, Scene), Failure> {
        let task = run.task()?;
        let sequences = self.draw(task.as_ref(), &run.config.subject.network)?;
        let scene = scene(&run.config.task, task.as_ref(), &sequences);
        let (networks, refused) = run.networks(self.device, self.dtype)?;
        warn(&refused);
        let networks = networks.each_ref().map(|network| {
            let losses = each_loss(network, task.as_ref(), &sequences, self.device, self.dtype);
            (&network.recurrent, losses)
        });
        let last = task.asked() == Asked::AtTheEnd;
        Ok((before_and_after(&run.config.cell, networks, last)?, scene))
    }

    /// On what the model draws by itself.
    fn sequence<S: SequenceSubject>(&self, run: &RunOf<S>) -> Result<(Vec<Seen>, Scene), Failure> {
        let model = run.config.subject.model();
        let (time, batch) = (run.config.length.window, self.arguments.batch);
        self.fits([time, batch, model.hidden, model.layers])?;
        let options = (self.device, self.dtype);
        let Trained { model: after, refused } = run.model(options)?;
        warn(&refused);
        let before = run.untrained_model(options)?;
        let sampling = Sampling { temperature: 1.0, top_k: None, top_p: None };
        let random = Random::seed_from_u64(self.arguments.compute.seed);
        let targets: Vec<u32> = after.generate(&[], sampling, random).take(batch * time).collect();
        let before_each = std::iter::once(UNKNOWN).chain(targets.iter().copied());
        let inputs: Vec<u32> = before_each.take(targets.len()).collect();
        let networks = [&before, &after].map(|model| {
            (&model.network.recurrent, model.each_loss(&inputs, &targets, [batch, time]))
        });
        let seen = before_and_after(&run.config.cell, networks, false)?;
        let setting = format!("a model of {}, on {} that it has drawn", run.config.task, S::STEPS);
        let name = run.config.task.clone();
        Ok((seen, Scene { name, setting, rows: "rows", batch, time }))
    }

    /// On pasts of the backtest, spread evenly.
    fn series(&self, run: &SeriesRun) -> Result<(Vec<Seen>, Scene), Failure> {
        if run.config.cell == AUTOREGRESSION {
            let folder = super::output::shown(&run.folder);
            return Err(Failure(format!(
                "the run {folder} has no network, through which a gradient would flow: AR(τ) is fitted by least squares"
            )));
        }
        let (subject, window) = (&run.config.subject, run.config.length.window);
        let series = series_run::read(run)?;
        let dates = series.calendar.clone();
        let rows = run.data.features.rows(&run.without_effects(&series), dates.as_ref())?;
        let all = run.data.validation(subject.horizon, subject.stride);
        let batch = self.arguments.batch.min(all.len());
        self.fits([window, batch, subject.network.hidden, subject.network.layers])?;
        let origins: Vec<usize> = (0..batch).map(|i| all[i * all.len() / batch]).collect();
        let mut warnings = Vec::new();
        let networks = run.networks(&mut warnings)?;
        warn(&warnings);
        let networks = networks.each_ref().map(|forecaster| {
            (&forecaster.network.recurrent, forecaster.each_loss(&rows, &origins))
        });
        let seen = before_and_after(&run.config.cell, networks, false)?;
        let setting =
            format!("a forecast of {}, on pasts of the backtest", series.names.join(", "));
        Ok((seen, Scene { name: "series".into(), setting, rows: "pasts", batch, time: window }))
    }

    /// The first network of the ensemble, on the last windows of some series, spread evenly. It forecasts after the last
    /// season alone.
    fn panel(&self, run: &PanelRun) -> Result<(Vec<Seen>, Scene), Failure> {
        let (panel, test) = run.plain_panels()?;
        let subject = &run.config.subject;
        let all = taught(&panel, subject.horizon, test.is_some());
        let batch = self.arguments.batch.min(all.len());
        let time = run.config.length.window / subject.season;
        self.fits([time, batch, subject.network.hidden, subject.network.layers])?;
        let some = (0..batch).map(|i| all[i * all.len() / batch]);
        let divided = |Taught { values, known, categories, .. }| {
            let (rows, after): (&[f64], &[f64]) = values.split_at(known);
            (Past { rows, categories }, after)
        };
        let some: Vec<(Past<'_>, &[f64])> = some.map(divided).collect();
        let mut warnings = Vec::new();
        let networks = [run.untrained()?, run.forecaster(&mut warnings)?];
        warn(&warnings);
        let networks = networks.each_ref().map(|forecaster| {
            let member = &forecaster.ensemble.members[0];
            (&member.recurrence.recurrent, forecaster.last_loss(&some))
        });
        let seen = before_and_after(&run.config.cell, networks, true)?;
        let setting = format!(
            "a forecast of {} series, on {batch} of their windows; a step is a season of {} rows",
            panel.ids.len(),
            subject.season
        );
        Ok((seen, Scene { name: "panel".into(), setting, rows: "windows", batch, time }))
    }

    /// Before and after, of the linear network of one unit.
    fn count(&self, run: &CountRun) -> Result<(Vec<Seen>, Scene), Failure> {
        let (length, batch) = (run.config.length, self.arguments.batch);
        self.fits([length, batch, 1, 1])?;
        let task = CountTask::generate(batch, length, self.arguments.compute.seed)?;
        let mut seen = Vec::new();
        for (moment, at) in [("before", run.config.start), ("after", run.reached()?)] {
            let flow = count::flow(&task, at, self.device, self.dtype)?;
            seen.push(Seen { cell: "linear".into(), moment: Some(moment), flow });
        }
        let setting = "counting the ones of a sequence, asked after the last step".into();
        Ok((seen, Scene { name: "count".into(), setting, rows: "sequences", batch, time: length }))
    }
}

fn scene(name: &str, task: &dyn Task, sequences: &Sequences) -> Scene {
    let Sequences { batch, time, .. } = *sequences;
    Scene { name: name.into(), setting: task.setting(), rows: "sequences", batch, time }
}

/// The networks before and after training; each gives its input and ∂L_t/∂H_t of the loss of each step.
fn before_and_after(
    cell: &str,
    networks: [(&Recurrent, [Tensor<3>; 2]); 2],
    last: bool,
) -> Result<Vec<Seen>, Failure> {
    let mut seen = Vec::new();
    for (moment, (recurrent, [input, d_hidden])) in ["before", "after"].into_iter().zip(networks) {
        let flow = recurrent.flow(input, d_hidden, last)?;
        seen.push(Seen { cell: cell.into(), moment: Some(moment), flow });
    }
    Ok(seen)
}

fn described(scene: &Scene) -> String {
    format!("{}; {}", scene.setting, scene.size())
}

fn time(seen: &[Seen]) -> usize {
    seen[0].flow.gradient_norm.len()
}

fn lag_table(seen: &[Seen]) -> Table {
    let lags = lags(time(seen));
    let mut rows = Vec::new();
    for seen in seen {
        for (layer, flow) in seen.flow.layers.iter().enumerate() {
            for state in &flow.states {
                let mut row = vec![format!("{}, {}", seen.layer_name(layer), state.name)];
                row.extend(lags.iter().map(|&lag| brief(seen.share(state, lag))));
                rows.push(row);
            }
        }
    }
    let mut header = vec!["steps back".to_string()];
    header.extend(lags.iter().map(usize::to_string));
    Table {
        caption: "How much of the last step's loss reaches a state so many steps earlier, as a share of what reaches the last hidden state.".into(),
        header,
        rows,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn what_lets_through(seen: &[Seen]) -> Table {
    let mut rows = Vec::new();
    for seen in seen {
        for (layer, flow) in seen.flow.layers.iter().enumerate() {
            let named =
                |parts: Vec<String>| if parts.is_empty() { "-".into() } else { parts.join(", ") };
            let radii = flow.spectral_radius.iter();
            let radii = radii.map(|(name, radius)| format!("{name} {}", brief(*radius))).collect();
            let gates = flow.gates.iter().map(|gate| {
                let saturated = mean(&gate.below) + mean(&gate.above);
                format!("{} {:.0} %", gate.name, 100.0 * saturated)
            });
            rows.push(vec![
                seen.layer_name(layer),
                brief(mean(&flow.jacobian_norm)),
                named(radii),
                named(gates.collect()),
            ]);
        }
    }
    Table {
        caption: "What lets the gradient through: the mean over time of the largest singular value of a step's Jacobian, the largest eigenvalue modulus of the recurrent weights, and the share of gate values below 0.1 or above 0.9.".into(),
        header: ["", "Jacobian", "largest eigenvalue", "saturated gates"].map(String::from).into(),
        rows,
    }
}

/// Writes the pictures and the page, and returns their names.
fn write(seen: &[Seen], scene: &Scene, folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let what = format!("{}: {}", scene.name, scene.size());
    let mut files = Vec::new();
    let by_time = by_time(seen, &what);
    let (mut by_time_svg, mut gates_svg) = (None, None);
    if by_time.curves.iter().any(|curve| curve.values.iter().any(|g| *g > 0.0 && g.is_finite())) {
        files.extend(by_time.save(&folder.join("flow"))?);
        by_time_svg = Some(by_time.svg()?);
    }
    let maps = lag_maps(seen, &what);
    files.extend(maps.save(&folder.join("lag_map"))?);
    let gates = gates(seen, &what);
    if !gates.gates.is_empty() {
        files.extend(gates.save(&folder.join("gates"))?);
        gates_svg = Some(gates.svg()?);
    }
    let page = page(seen, described(scene), [by_time_svg, Some(maps.svg()?), gates_svg]);
    let path = folder.join("flow.html");
    page.save(&path)?;
    files.push(path);
    Ok(files)
}

/// `‖∂L_T/∂s_t‖` of the top layers by time.
fn by_time(seen: &[Seen], what: &str) -> GradientByTime {
    let curve = |seen: &Seen, state: &StateFlow| {
        let name = match seen.top().states.len() {
            1 => seen.name(),
            _ => format!("{}, {}", seen.name(), state.name),
        };
        let last = state.lag_map.last().map_or(&[][..], Vec::as_slice);
        let values = last.iter().rev().map(|g| g / seen.start()).collect();
        Curve { label: name, values }
    };
    let curves = seen.iter().flat_map(|seen| {
        seen.top().states.iter().map(|state| curve(seen, state)).collect::<Vec<_>>()
    });
    GradientByTime {
        curves: curves.collect(),
        title: "How much of the last step's loss reaches the state of step k".into(),
        subtitle: format!("as a share of what reaches the last hidden state; {what}"),
    }
}

fn lag_maps(seen: &[Seen], what: &str) -> LagMaps {
    let map = |seen: &Seen, state: &StateFlow| {
        let label = format!("{}, {}", seen.name(), state.name);
        let values =
            state.lag_map.iter().map(|lags| lags.iter().map(|g| g / seen.start()).collect());
        LagMap { label, values: values.collect() }
    };
    let maps = seen.iter().flat_map(|seen| {
        seen.top().states.iter().map(|state| map(seen, state)).collect::<Vec<_>>()
    });
    LagMaps {
        maps: maps.collect(),
        title: "How much of the loss of step t reaches the state k steps earlier".into(),
        subtitle: format!(
            "as a share of what the last loss hands to the last hidden state; {what}"
        ),
    }
}

fn gates(seen: &[Seen], what: &str) -> Gates {
    let gate = |seen: &Seen, gate: &bptt::recurrence::flow::GateFlow| Gate {
        label: match seen.moment {
            Some(moment) => format!("{} gate, {moment}", gate.name),
            None => format!("{}, {} gate", seen.cell, gate.name),
        },
        mean: gate.mean.clone(),
        below: gate.below.clone(),
        above: gate.above.clone(),
    };
    let gates = seen
        .iter()
        .flat_map(|seen| seen.top().gates.iter().map(|g| gate(seen, g)).collect::<Vec<_>>());
    Gates { gates: gates.collect(), title: "How open the gates are".into(), subtitle: what.into() }
}

/// The table in a sentence for each network.
fn sentences(seen: &[Seen]) -> Vec<String> {
    let lag = lags(time(seen)).into_iter().rev().find(|lag| *lag <= 50).unwrap_or(0);
    let sentence = |seen: &Seen| {
        let states: Vec<String> = seen
            .top()
            .states
            .iter()
            .map(|state| {
                format!("{} of it reaches the {} state", brief(seen.share(state, lag)), state.name)
            })
            .collect();
        let most = seen.top().states.iter().map(|state| seen.share(state, lag)).fold(0.0, f64::max);
        let verdict = match most {
            most if !most.is_finite() || most > 10.0 => "It explodes.",
            most if most >= 0.01 => "A loss here can still change what was seen there.",
            most if most >= 1e-6 => "What was seen there has almost no effect.",
            _ => "It has vanished: nothing can be learnt over so many steps.",
        };
        format!("{}: {lag} steps back, {}. {verdict}", seen.name(), states.join(", and "))
    };
    seen.iter().map(sentence).collect()
}

fn page(seen: &[Seen], what: String, [by_time, maps, gates]: [Option<String>; 3]) -> Page {
    let picture = |svg: Option<String>, words: &str| svg.map(|svg| (svg, words.to_string()));
    let mut first = vec![
        "The gradient of the last step's loss is walked back through time, and its size at each state is set against its size at the last hidden state. On the log axis a straight line down is a gradient that shrinks by the same factor at each step.".to_string(),
    ];
    first.extend(sentences(seen));
    let mut sections = vec![
        Section {
            heading: "By time".into(),
            text: first,
            picture: picture(by_time, "Size of the gradient by time, one line a state."),
            tables: vec![lag_table(seen)],
            ..Section::default()
        },
        Section {
            heading: "By lag, for every loss".into(),
            text: vec![
                "Each column is the loss of one step by itself, and each row so many steps back. A map that is dark above its lowest rows belongs to a network that listens to the last few steps alone.".into(),
            ],
            picture: picture(maps, "Size of the gradient by step of the loss and lag, in decades."),
            ..Section::default()
        },
        Section {
            heading: "What lets it through".into(),
            text: vec![
                "At each step the gradient is multiplied by that step's Jacobian. Where its largest singular value stays below 1 the gradient must vanish; where it exceeds 1 the gradient may explode.".into(),
            ],
            tables: vec![what_lets_through(seen)],
            ..Section::default()
        },
    ];
    if gates.is_some() {
        sections.push(Section {
            heading: "Gates".into(),
            text: vec![
                "A gate near 0 or 1 hardly learns, for its slope is small there. But a forget gate near 1 is what lets the gradient pass along the cell.".into(),
            ],
            picture: picture(gates, "Mean of each gate and shares of saturated units by time."),
            ..Section::default()
        });
    }
    Page { title: "How the gradient flows through time".into(), introduction: what, sections }
}
