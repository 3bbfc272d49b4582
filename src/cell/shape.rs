//! How many of each quantity a cell has: what the recursion needs to know of it beside its formula.

use super::{Cell, InputShare, RecurrentShare, Row};

/// The numbers of a cell, per hidden unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Pre-activations, `G`.
    pub gates: usize,
    /// The last `A` gates get their input half and their recurrent half apart.
    pub apart: usize,
    /// States, `S`, the hidden state among them.
    pub states: usize,
    /// Vector parameters, `P`.
    pub parameters: usize,
    /// Quantities that a step keeps for its derivative, `K`.
    pub kept: usize,
    /// Where the pre-activations get the input's share from.
    pub input: InputShare,
    /// Where they get the recurrent share from.
    pub recurrent: RecurrentShare,
}

impl Shape {
    /// The shape of a cell. A cell without a gate or a state, with more gates apart than there are, or with gates apart
    /// and no recurrent product does not compile.
    pub const fn of<C: Cell>() -> Self {
        const {
            let (gates, apart) = (<C::Gates<()> as Row<()>>::LEN, <C::Apart<()> as Row<()>>::LEN);
            assert!(gates > 0, "a cell has a gate");
            assert!(<C::State<()> as Row<()>>::LEN > 0, "a cell has a hidden state");
            assert!(apart <= gates, "a cell has no more gates apart than gates");
            assert!(
                apart == 0 || matches!(C::RECURRENT, RecurrentShare::Product),
                "gates apart need a recurrent product"
            );
        }
        Self {
            gates: <C::Gates<()> as Row<()>>::LEN,
            apart: <C::Apart<()> as Row<()>>::LEN,
            states: <C::State<()> as Row<()>>::LEN,
            parameters: <C::Parameters<()> as Row<()>>::LEN,
            kept: <C::Kept<()> as Row<()>>::LEN,
            input: C::INPUT,
            recurrent: C::RECURRENT,
        }
    }

    /// The gates whose halves are added before the step.
    pub const fn joined(&self) -> usize {
        self.gates - self.apart
    }

    /// Whether the input is multiplied: `A = X W_x + b_x`.
    pub const fn input_product(&self) -> bool {
        matches!(self.input, InputShare::Product)
    }

    /// Whether the hidden state is multiplied: `U_t = H_{t-1} W_h + b_h`.
    pub const fn recurrent_product(&self) -> bool {
        matches!(self.recurrent, RecurrentShare::Product)
    }

    /// Features of the input of a layer that may choose them: an input that is not multiplied has one for each gate and
    /// hidden unit.
    pub const fn features(&self, asked: usize, hidden: usize) -> usize {
        if self.input_product() { asked } else { self.gates * hidden }
    }

    /// Multiplications of the products of one row and step: `G H (I + H)` where both shares are products.
    pub const fn multiplications(&self, features: usize, hidden: usize) -> usize {
        let input = if self.input_product() { features } else { 0 };
        let recurrent = if self.recurrent_product() { hidden } else { 0 };
        self.gates * hidden * (input + recurrent)
    }

    /// The least number of weights of a stack of such layers: those of the products, and a number for each unit. It is
    /// a float because it may be more than fits any memory.
    pub fn weights(&self, [features, hidden, layers]: [usize; 3]) -> f64 {
        let [features, hidden, layers] = [features, hidden, layers].map(|size| size as f64);
        let input = if self.input_product() { features + hidden * (layers - 1.0) } else { 0.0 };
        let recurrent = if self.recurrent_product() { hidden * layers } else { 0.0 };
        self.gates as f64 * hidden * (input + recurrent) + hidden * layers
    }
}
