//! Numbers with the noun that goes with them. Pure.

/// `1 delivery`, `3 deliveries`.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
