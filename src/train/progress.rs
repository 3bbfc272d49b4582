//! How far a training is, and how good its epochs are.

use std::cmp::Ordering;

/// How good a model is on data that it was not trained on.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Score {
    /// The mean loss.
    pub loss: f64,
    /// The share of right answers, where answers are right or wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<f64>,
}

impl From<f64> for Score {
    fn from(loss: f64) -> Self {
        Self { loss, right: None }
    }
}

impl Score {
    /// The better score is the lesser one: the one of the smaller loss, and any number before what is none.
    pub fn compare(&self, other: &Self) -> Ordering {
        let key = |score: &Self| (!score.loss.is_finite(), score.loss);
        let ((a, x), (b, y)) = (key(self), key(other));
        a.cmp(&b).then(x.total_cmp(&y))
    }
}

/// An epoch that is done.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Optimizer steps until its end.
    pub steps: usize,
    /// The mean training loss over its steps, dropout and all.
    pub train_loss: f64,
    /// The validation loss after it.
    pub valid_loss: f64,
    /// The share of right answers in the validation, where answers are right or wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<f64>,
    /// The learning rate of its last step.
    pub lr: f64,
}

impl Epoch {
    /// Its validation.
    pub fn score(&self) -> Score {
        Score { loss: self.valid_loss, right: self.right }
    }
}

/// How far a training is.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Optimizer steps.
    pub step: usize,
    /// The losses of this epoch so far, added up, and how many.
    pub sum: (f64, usize),
    /// How many words of a stream of random numbers have been used: see [`Window::drawn`](super::lessons::Window::drawn).
    #[serde(default)]
    pub drawn: u64,
    /// The epochs that are done.
    pub epochs: Vec<Epoch>,
    /// Whether there is nothing more to do.
    pub done: bool,
}

impl Progress {
    /// The first epoch with the smallest validation loss: its model is the one that is kept as the best. None before the
    /// first epoch's end, or if no validation is a number.
    pub fn best(&self) -> Option<Epoch> {
        let best = self.epochs.iter().copied().min_by(|a, b| a.score().compare(&b.score()));
        best.filter(|best| best.valid_loss.is_finite())
    }

    pub(super) fn epochs_since_best(&self) -> usize {
        let best = self.best().map_or(0, |best| best.epoch);
        self.epochs.len().saturating_sub(best)
    }

    /// What in it contradicts itself, if something does.
    pub(super) fn contradiction(&self) -> Option<String> {
        let mut before = 0;
        for (index, epoch) in self.epochs.iter().enumerate() {
            let number = index + 1;
            if epoch.epoch != number {
                return Some(format!("its epoch {number} has the number {}", epoch.epoch));
            }
            if epoch.steps <= before || epoch.steps > self.step {
                return Some(format!(
                    "its epoch {number} ends after {} of {} steps, and the one before after {before}",
                    epoch.steps, self.step
                ));
            }
            if epoch.right.is_some_and(|right| !(0.0..=1.0).contains(&right)) {
                return Some(format!("its epoch {number} has a share of right answers beyond 1"));
            }
            before = epoch.steps;
        }
        let (sum, losses) = self.sum;
        if !sum.is_finite() || losses > self.step {
            return Some(format!("it adds up {losses} losses of {} steps to {sum}", self.step));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(losses: &[f64]) -> Progress {
        let epochs = losses.iter().enumerate().map(|(index, &valid_loss)| Epoch {
            epoch: index + 1,
            steps: 10 * (index + 1),
            train_loss: 1.0,
            valid_loss,
            right: None,
            lr: 0.1,
        });
        Progress { step: 10 * losses.len(), epochs: epochs.collect(), ..Progress::default() }
    }

    #[test]
    fn what_is_no_number_is_never_the_best() {
        let best = |losses: &[f64]| progress(losses).best().map(|best| best.epoch);
        for none in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(best(&[none, 3.0, 2.0, none, 2.0]), Some(3), "{none}");
            assert_eq!(best(&[none, none]), None, "{none}");
            assert_eq!(progress(&[none, 3.0, 4.0, none]).epochs_since_best(), 2);
            assert_eq!(progress(&[none, none]).epochs_since_best(), 2);
        }
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn a_progress_that_contradicts_itself_is_found() {
        let whole = progress(&[3.0, 2.0, f64::NAN]);
        assert_eq!(whole.contradiction(), None);
        let changed = |change: &dyn Fn(&mut Progress)| {
            let mut progress = whole.clone();
            change(&mut progress);
            assert!(progress.contradiction().is_some(), "{progress:?}");
        };
        changed(&|progress| progress.step = 29);
        changed(&|progress| progress.epochs[1].epoch = 1);
        changed(&|progress| progress.epochs[1].steps = 10);
        changed(&|progress| progress.epochs[1].right = Some(1.5));
        changed(&|progress| progress.epochs[0].right = Some(f64::NAN));
        changed(&|progress| progress.sum.0 = f64::INFINITY);
        changed(&|progress| progress.sum.1 = 31);
    }
}
