//! Lines of equal height on a grid, by marching squares.

use super::canvas::Point;

/// Closed lines around the part of a grid that is at `level` or above. They include the grid's edge.
/// A line has the higher side on its left, where y grows upward: it runs counterclockwise around a
/// hill and clockwise around a hollow. `heights` is `[y][x]` in row-major order and finite.
pub fn rings(x: &[f64], y: &[f64], heights: &[f64], level: f64) -> Vec<Vec<Point>> {
    // A frame of points below every level, placed on the grid's edge, closes the lines.
    let (columns, rows) = (x.len() + 2, y.len() + 2);
    let place = |column: usize, row: usize| -> Point {
        (x[column.clamp(1, x.len()) - 1], y[row.clamp(1, y.len()) - 1])
    };
    let height = |column: usize, row: usize| -> f64 {
        let inside = (1..=x.len()).contains(&column) && (1..=y.len()).contains(&row);
        if inside { heights[(row - 1) * x.len() + column - 1] } else { f64::NEG_INFINITY }
    };
    // Edge 2p goes from point p to its right, edge 2p + 1 from point p upward.
    let crossing = |edge: usize| -> Point {
        let (column, row) = (edge / 2 % columns, edge / 2 / columns);
        let (to_column, to_row) =
            if edge.is_multiple_of(2) { (column + 1, row) } else { (column, row + 1) };
        let (from, to) = (place(column, row), place(to_column, to_row));
        let (low, high) = (height(column, row), height(to_column, to_row));
        let share =
            if low.is_finite() && high.is_finite() { (level - low) / (high - low) } else { 0.5 };
        (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1))
    };

    // The next edge of the line from each edge. At most one line leaves an edge.
    let mut next: Vec<Option<usize>> = vec![None; 2 * columns * rows];
    for row in 0..rows - 1 {
        for column in 0..columns - 1 {
            let corners =
                [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)];
            let values = corners.map(|(column, row)| height(column, row));
            let high = values.map(|value| value >= level);
            if high == [false; 4] || high == [true; 4] {
                continue;
            }
            let point = row * columns + column;
            // Counterclockwise from below, edge i from corner i to the next.
            let edges = [2 * point, 2 * point + 3, 2 * (point + columns), 2 * point + 1];
            let saddle = high[0] == high[2] && high[1] == high[3];
            let joined = saddle && values.iter().sum::<f64>() / 4.0 >= level;
            for i in (0..4).filter(|&i| high[i] && !high[(i + 1) % 4]) {
                // Around the low corners that follow, or back around the high corners before.
                let turns =
                    [1, 2, 3].map(|turn| if joined { (i + turn) % 4 } else { (i + 4 - turn) % 4 });
                let entry = turns.into_iter().find(|&j| !high[j] && high[(j + 1) % 4]);
                next[edges[i]] = entry.map(|entry| edges[entry]);
            }
        }
    }

    let mut rings = Vec::new();
    for start in 0..next.len() {
        let mut ring = Vec::new();
        let mut edge = start;
        while let Some(following) = next[edge].take() {
            ring.push(crossing(edge));
            edge = following;
        }
        ring.dedup();
        if ring.len() > 2 {
            rings.push(ring);
        }
    }
    rings
}

/// The area inside, negative if the ring runs clockwise.
pub fn area(ring: &[Point]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f64>() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circle(sign: f64) -> (Vec<f64>, Vec<f64>) {
        let x: Vec<f64> = (0..81).map(|i| -2.0 + f64::from(i) / 20.0).collect();
        let heights = x.iter().flat_map(|y| x.iter().map(move |x| sign * x.hypot(*y))).collect();
        (x, heights)
    }

    #[test]
    fn a_hill_has_one_ring_and_its_area() {
        let (x, heights) = circle(-1.0);
        let rings = rings(&x, &x, &heights, -1.0);
        assert_eq!(rings.len(), 1);
        assert!((area(&rings[0]) - std::f64::consts::PI).abs() < 0.01);
    }

    #[test]
    fn a_hollow_has_the_edge_and_a_ring_the_other_way() {
        let (x, heights) = circle(1.0);
        let mut areas: Vec<f64> =
            rings(&x, &x, &heights, 1.0).iter().map(|ring| area(ring)).collect();
        areas.sort_by(f64::total_cmp);
        assert_eq!(areas.len(), 2);
        assert!((areas[0] + std::f64::consts::PI).abs() < 0.01 && (areas[1] - 16.0).abs() < 1e-9);
    }

    #[test]
    fn a_saddle_is_parted_or_joined_by_its_middle() {
        let (x, y) = ([0.0, 1.0], [0.0, 1.0]);
        assert_eq!(rings(&x, &y, &[1.0, 0.0, 0.0, 1.0], 0.6).len(), 2);
        assert_eq!(rings(&x, &y, &[1.0, 0.0, 0.0, 1.0], 0.4).len(), 1);
    }
}
