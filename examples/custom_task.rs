//! A task of your own: is the number of ones in a sequence of bits odd? (Minsky & Papert 1969)
use bptt::cell::Gru;
use bptt::data::task::{Sequences, Task, one_hot};
use bptt::random::{Random, RngExt};
use bptt::train::lessons::{Computing, Settings, learn};
use bptt::train::task::{NetworkSettings, TaskLessons, TestedSteps, beginner};

struct Parity(usize);

impl Task for Parity {
    fn time(&self) -> usize {
        self.0
    }
    fn features(&self) -> usize {
        1
    }
    fn outputs(&self) -> usize {
        2
    }
    fn chance(&self) -> f64 {
        2f64.ln()
    }
    fn draw(&self, batch: usize, random: &mut Random) -> Sequences {
        let bits: Vec<bool> = (0..batch * self.0).map(|_| random.random()).collect();
        let ones = bits.chunks(self.0).map(|row| row.iter().filter(|bit| **bit).count());
        let target = ones.flat_map(|ones| one_hot(ones % 2, 2)).collect();
        let input = bits.iter().map(|&bit| f64::from(bit)).collect();
        Sequences { batch, time: self.0, lengths: vec![self.0; batch], input, target, right: None }
    }
}

pub fn main() {
    let (parity, settings, network) = (Parity(6), Settings::default(), NetworkSettings::default());
    let computing = Computing::on(Default::default());
    let network = beginner(Gru::default(), &parity, &network, &settings, &computing).unwrap();
    let lessons = TaskLessons::new(&parity, &settings, TestedSteps::default(), &computing);
    let run = tempfile::tempdir().unwrap();
    let learnt = learn(&lessons, network, &settings, &computing, run.path(), None, |_| true);
    println!("{:?}", learnt.unwrap().1.best()); // right: Some(1.0)
}
