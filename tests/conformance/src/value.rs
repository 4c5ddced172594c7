//! The values of the scenario language, and the small expressions that yield them.
//!
//! A field of an op is parsed once, into a [`Text`] (a string with `{x}` in it) or an [`Expr`] (a value field, where
//! `$x` stands for a whole variable). Both are read against the [`Vars`] of the task that runs the op.

use alloc::{
    borrow::ToOwned,
    boxed::Box,
    collections::BTreeMap,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::{
    cmp::Ordering,
    fmt::{self, Display},
};

/// What a variable, a queue item or an outcome can be.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Str(Rc<str>),
    List(Rc<[Value]>),
}

/// The variables of one task.
pub(crate) type Vars = BTreeMap<Rc<str>, Value>;

impl Value {
    pub(crate) fn str(text: impl Into<Rc<str>>) -> Self {
        Value::Str(text.into())
    }

    /// Booleans count as numbers, as they do in the reference.
    fn number(&self) -> Option<i64> {
        match self {
            Value::Bool(b) => Some(i64::from(*b)),
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::None => 0,
            Value::Bool(_) | Value::Int(_) => 1,
            Value::Str(_) => 2,
            Value::List(_) => 3,
        }
    }
}

/// Numbers by size, lists element by element; values of different kinds, which scenarios never mix, by kind.
impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Str(a), Value::Str(b)) => a.cmp(b),
            (Value::List(a), Value::List(b)) => a.cmp(b),
            _ => (self.rank(), self.number()).cmp(&(other.rank(), other.number())),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("none"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(n) => write!(f, "{n}"),
            Value::Str(s) => f.write_str(s),
            Value::List(items) => {
                f.write_str("[")?;
                for (i, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}

/// `ok`, or `ok VALUE` when there is one.
pub(crate) fn ok_text(value: &Value) -> String {
    match value {
        Value::None => "ok".to_owned(),
        value => format!("ok {value}"),
    }
}

/// How `if` compares.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Comparison {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "eq" => Comparison::Eq,
            "ne" => Comparison::Ne,
            "lt" => Comparison::Lt,
            "le" => Comparison::Le,
            "gt" => Comparison::Gt,
            "ge" => Comparison::Ge,
            _ => return None,
        })
    }

    pub(crate) fn holds(self, a: &Value, b: &Value) -> bool {
        let order = a.cmp(b);
        match self {
            Comparison::Eq => order.is_eq(),
            Comparison::Ne => order.is_ne(),
            Comparison::Lt => order.is_lt(),
            Comparison::Le => order.is_le(),
            Comparison::Gt => order.is_gt(),
            Comparison::Ge => order.is_ge(),
        }
    }
}

/// A variable that was read before it was set: a mistake in the scenario.
#[derive(Debug)]
pub(crate) struct NoVariable(pub(crate) Rc<str>);

/// A string in which `{x}` is replaced by the text of variable x.
#[derive(Clone, Debug)]
pub(crate) struct Text(Box<[Part]>);

#[derive(Clone, Debug)]
enum Part {
    Literal(Rc<str>),
    Var(Rc<str>),
}

impl Text {
    /// `None` when a brace is left open.
    pub(crate) fn parse(source: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}')?;
            parts.extend([Part::Literal(literal.into()), Part::Var(name.into())]);
            rest = tail;
        }
        parts.push(Part::Literal(rest.into()));
        Some(Text(parts.into()))
    }

    pub(crate) fn read(&self, vars: &Vars) -> Result<String, NoVariable> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Var(name) => text.push_str(&variable(vars, name)?.to_string()),
            }
        }
        Ok(text)
    }
}

/// A value field.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Const(Value),
    Var(Rc<str>),
    Text(Text),
    List(Box<[Expr]>),
}

impl Expr {
    pub(crate) fn read(&self, vars: &Vars) -> Result<Value, NoVariable> {
        Ok(match self {
            Expr::Const(value) => value.clone(),
            Expr::Var(name) => variable(vars, name)?.clone(),
            Expr::Text(text) => Value::str(text.read(vars)?),
            Expr::List(items) => Value::List(items.iter().map(|item| item.read(vars)).collect::<Result<_, _>>()?),
        })
    }
}

fn variable<'a>(vars: &'a Vars, name: &Rc<str>) -> Result<&'a Value, NoVariable> {
    vars.get(name).ok_or_else(|| NoVariable(name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(items: &[i64]) -> Value {
        Value::List(items.iter().map(|n| Value::Int(*n)).collect())
    }

    #[test]
    fn values_read_as_in_a_trace() {
        let value = Value::List([Value::None, Value::Bool(true), Value::Int(-3), Value::str("x"), list(&[1])].into());
        assert_eq!(value.to_string(), "[none, true, -3, x, [1]]");
        assert_eq!(ok_text(&Value::None), "ok");
        assert_eq!(ok_text(&Value::Bool(false)), "ok false");
    }

    #[test]
    fn lists_compare_element_by_element() {
        assert!(list(&[1, 9]) < list(&[2, 0]));
        assert!(list(&[1]) < list(&[1, 0]));
        assert!(Value::Int(2) < Value::Int(10));
        assert_eq!(Value::Bool(true), Value::Int(1));
    }

    #[test]
    fn braces_are_replaced_by_variables() {
        let vars = Vars::from([("i".into(), Value::Int(7)), ("s".into(), Value::str("{i}"))]);
        let read = |source| Text::parse(source).unwrap().read(&vars);
        assert_eq!(read("a{i}b{s}{i}").unwrap(), "a7b{i}7");
        assert_eq!(read("plain").unwrap(), "plain");
        assert!(read("{x}").is_err());
        assert!(Text::parse("open {i").is_none());
    }
}
