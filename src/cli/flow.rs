//! `bptt flow`: how the gradient flows through time, in pictures, a page and a table.

use super::Failure;
use super::options::{Compute, bytes, size};
use super::output::{self, Output, table};
use bptt::cell::{self, Cell};
use bptt::data::task::{Asked, Sequences, Task, TaskSettings};
use bptt::model::Network;
use bptt::nn::{Random, Recurrent};
use bptt::plot::gates::{Gate, Gates};
use bptt::plot::gradient_by_time::{Curve, GradientByTime};
use bptt::plot::lag_maps::{LagMap, LagMaps};
use bptt::plot::page::{Page, Section, Table};
use bptt::recurrence::flow::{Flow, LayerFlow, StateFlow};
use bptt::report::{brief, lags};
use bptt::train::memory::check_memory;
use bptt::train::task::{NetworkSettings, Start, each_loss, network};
use bptt::train::task_run::TaskRun;
use burn::tensor::{DType, Device};
use clap::builder::PossibleValuesParser;
use rand::SeedableRng;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How the gradient flows through time: by time, by lag, through gates, before and after training
///
/// For a RUN that `bptt train adding`, `copy`, `order` or `reber` has made: its network before and after
/// training, on sequences of its task. Without RUN: untrained networks of the cells, side by side on the
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

/// What is looked at.
struct Look<'a> {
    name: &'a str,
    task: &'a dyn Task,
    sequences: &'a Sequences,
    device: &'a Device,
    dtype: DType,
    run: Option<&'a TaskRun>,
    settings: NetworkSettings,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let device = arguments.compute.device()?;
    let dtype = DType::from(arguments.compute.dtype);
    let opened = arguments.run.as_deref().map(TaskRun::open).transpose()?;
    let asked = match &opened {
        Some(run) => run.config.task,
        None => TaskSettings::Adding { time: arguments.time.unwrap_or(100) },
    };
    let task = asked.task()?;
    let (cells, settings) = match &opened {
        Some(run) => (vec![run.config.cell.clone()], run.config.network.clone()),
        None => {
            let (hidden, layers) = (arguments.hidden, arguments.layers);
            let (start, seed) = (Start::Uniform, arguments.compute.seed);
            let settings =
                NetworkSettings { hidden, layers, start, forget_bias: None, remember: None, seed };
            (arguments.cell.clone(), settings)
        }
    };
    // A run may name any time; before the sequences are drawn.
    let time = match asked {
        TaskSettings::Adding { time } | TaskSettings::Order { time } => time,
        TaskSettings::Copy { delay } => delay,
        TaskSettings::Reber => 1,
    };
    let drawn = time as f64 * arguments.batch as f64 * (task.features() + 1) as f64;
    check_memory(16.0 * drawn, "--time, --batch, --layers or --hidden")?;
    let mut random = Random::seed_from_u64(arguments.compute.seed.wrapping_add(3 << 32));
    let sequences = whole_rows(task.draw(arguments.batch, &mut random));
    let [time, batch, hidden] =
        [sequences.time, sequences.batch, settings.hidden].map(|n| n as f64);
    // The lag map of the widest cell at its first step, with what the derivative works with.
    let numbers = time * time / 2.0 * batch * (hidden * settings.layers as f64 + 4.0)
        + 24.0 * (time + hidden) * batch * hidden;
    let bytes = numbers * bytes(arguments.compute.dtype);
    check_memory(bytes, "--time, --batch, --layers or --hidden")?;
    let folder = match &arguments.run {
        Some(run) => arguments.output.folder_or(run)?,
        None => arguments.output.folder("flow")?,
    };

    let mut seen = Vec::new();
    for name in &cells {
        let look = Look {
            name,
            task: task.as_ref(),
            sequences: &sequences,
            device: &device,
            dtype,
            run: opened.as_ref(),
            settings: NetworkSettings {
                forget_bias: Some(arguments.forget_bias),
                ..settings.clone()
            },
        };
        let looked = cell::visit(name, look);
        let unknown = || Failure(format!("the run has a cell '{name}' that is not known here"));
        seen.extend(looked.ok_or_else(unknown)??);
    }
    let files = write(&seen, task.as_ref(), &sequences, &folder)?;
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
    let mut text = format!("{}\n\n", described(task.as_ref(), &sequences));
    text += &as_text(&lag_table(&seen));
    text += "\n";
    text += &as_text(&what_lets_through(&seen));
    text += "\n";
    output::wrote(&mut text, &files);
    arguments.output.print(&report, &text)?;
    Ok(ExitCode::SUCCESS)
}

impl cell::Visitor for Look<'_> {
    type Output = Result<Vec<Seen>, Failure>;

    fn visit<C: Cell>(self, cell: C) -> Self::Output {
        let Self { name, task, device, dtype, .. } = self;
        match self.run {
            Some(run) => {
                let [before, after] = run.networks(cell, device, dtype)?;
                Ok(vec![self.look(&before, Some("before"))?, self.look(&after, Some("after"))?])
            }
            None => {
                let forget_bias =
                    self.settings.forget_bias.filter(|_| cell.remembering_gate().is_some());
                let settings = NetworkSettings { forget_bias, ..self.settings.clone() };
                let network = network(cell, task, &settings, |config| config, (device, dtype))
                    .map_err(|error| Failure(format!("{name}: {error}")))?;
                Ok(vec![self.look(&network, None)?])
            }
        }
    }
}

impl Look<'_> {
    fn look<C: Cell>(
        &self,
        network: &Network<Recurrent<C>>,
        moment: Option<&'static str>,
    ) -> Result<Seen, Failure> {
        let [input, d_output] =
            each_loss(network, self.task, self.sequences, self.device, self.dtype);
        let last = self.task.asked() == Asked::AtTheEnd;
        let flow = network.recurrent.flow(input, d_output, last)?;
        Ok(Seen { cell: self.name.into(), moment, flow })
    }
}

/// The rows that run to the last step: lags are counted in steps that all of them have.
fn whole_rows(sequences: Sequences) -> Sequences {
    let Sequences { batch, time, lengths, input, target, .. } = sequences;
    let rows: Vec<usize> = (0..batch).filter(|&row| lengths[row] == time).collect();
    let of = |values: &[f64]| -> Vec<f64> {
        let width = values.len() / batch;
        rows.iter().flat_map(|&row| values[row * width..(row + 1) * width].to_vec()).collect()
    };
    let (input, target) = (of(&input), of(&target));
    Sequences {
        batch: rows.len(),
        time,
        lengths: vec![time; rows.len()],
        input,
        target,
        right: None,
    }
}

fn described(task: &dyn Task, sequences: &Sequences) -> String {
    format!("{}; {} sequences of {} steps", task.setting(), sequences.batch, sequences.time)
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

fn as_text(of: &Table) -> String {
    let header: Vec<&str> = of.header.iter().map(String::as_str).collect();
    table(&header, &of.rows)
}

/// Writes the pictures and the page, and returns their names.
fn write(
    seen: &[Seen],
    task: &dyn Task,
    sequences: &Sequences,
    folder: &Path,
) -> Result<Vec<PathBuf>, Failure> {
    let Sequences { batch, time, .. } = *sequences;
    let what = format!("{}: {batch} sequences of {time} steps", task.name());
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
    let page = page(seen, described(task, sequences), [by_time_svg, Some(maps.svg()?), gates_svg]);
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

/// What the table says, in a sentence for each network.
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
            most if most >= 1e-6 => "What was seen there is hardly heard.",
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
