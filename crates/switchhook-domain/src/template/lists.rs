//! Where a template may have a list or an object of its own making.
//!
//! Lists that hold lists again and again, `{% set a = [a, a] %}`, double with each line, and whatever writes or compares one goes
//! through all of it: some lines would take the memory of the whole server, before any count of steps sees it. So what a template
//! makes is written, looked into or looped over where it stands, and never kept under a name. The lists of an event may be: what is
//! read of them is counted (`event.rs`).

use minijinja::machinery::ast::{BinOpKind, Call, CallArg, CompareOpKind, Expr, Stmt};
use minijinja::machinery::parse;

use super::{NAME, TemplateError};

/// How many times what stands here is taken apart before a part gets a name: not at all under `set`, once in a loop, twice in one
/// that unpacks.
type Depth = u8;

/// It gets a name, or an operator works on it.
const KEPT: Depth = 0;

/// It is written, or looked into, and gone.
const GONE: Depth = Depth::MAX;

/// Filters that make texts and numbers.
const OF_TEXT: &[&str] = &[
    "abs",
    "bool",
    "capitalize",
    "count",
    "duration",
    "e",
    "escape",
    "float",
    "format",
    "indent",
    "int",
    "join",
    "length",
    "lower",
    "markdown",
    "replace",
    "round",
    "safe",
    "slack",
    "string",
    "time",
    "title",
    "tojson",
    "trim",
    "truncate",
    "upper",
];

/// Filters that make a list of what a list has.
const OF_LISTS: &[&str] = &[
    "dictsort",
    "items",
    "lines",
    "list",
    "map",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "sort",
    "split",
    "unique",
];

/// Filters that make one element of a list.
const OF_ELEMENTS: &[&str] = &["attr", "first", "last", "max", "min"];

/// What there is for the case that something is missing.
const OTHERWISE: &[&str] = &["d", "default"];

/// Refuses a template that could keep a list or an object of its own making.
pub(super) fn check(text: &str) -> Result<(), TemplateError> {
    match parse(text, NAME, Default::default()).map_err(|error| TemplateError::of(&error))? {
        Stmt::Template(template) => statements(&template.children),
        other => statement(&other),
    }
}

fn refuse(expr: &Expr<'_>, why: &str) -> Result<(), TemplateError> {
    Err(TemplateError::AtLine {
        line: expr.span().start_line.into(),
        why: why.to_owned(),
    })
}

/// A list or an object is made here.
fn made(expr: &Expr<'_>, depth: Depth) -> Result<(), TemplateError> {
    if depth == KEPT {
        let why = "a list or an object that the template makes cannot be kept or be an operand: write it, look into it with `in`, \
                   or loop over it where it stands";
        return refuse(expr, why);
    }
    Ok(())
}

/// One level further in. What is gone is gone with all that is in it.
const fn inside(depth: Depth) -> Depth {
    match depth {
        GONE => GONE,
        depth => depth.saturating_sub(1),
    }
}

fn statements(all: &[Stmt<'_>]) -> Result<(), TemplateError> {
    all.iter().try_for_each(statement)
}

fn statement(statement: &Stmt<'_>) -> Result<(), TemplateError> {
    match statement {
        Stmt::Template(template) => statements(&template.children),
        Stmt::EmitExpr(emit) => expression(&emit.expr, GONE),
        Stmt::EmitRaw(_) => Ok(()),
        Stmt::ForLoop(each) => {
            expression(&each.iter, 1 + parts(&each.target))?;
            optional(each.filter_expr.as_ref())?;
            statements(&each.body)?;
            statements(&each.else_body)
        }
        Stmt::IfCond(condition) => {
            expression(&condition.expr, KEPT)?;
            statements(&condition.true_body)?;
            statements(&condition.false_body)
        }
        Stmt::WithBlock(with) => {
            for (target, expr) in &with.assignments {
                expression(expr, parts(target))?;
            }
            statements(&with.body)
        }
        Stmt::Set(set) => expression(&set.expr, parts(&set.target)),
        Stmt::SetBlock(set) => {
            optional(set.filter.as_ref())?;
            statements(&set.body)
        }
        Stmt::AutoEscape(escape) => {
            expression(&escape.enabled, KEPT)?;
            statements(&escape.body)
        }
        Stmt::FilterBlock(block) => {
            expression(&block.filter, GONE)?;
            statements(&block.body)
        }
        Stmt::Do(call) => called(&call.call),
    }
}

/// How many levels a target takes apart: none if it is one name.
fn parts(target: &Expr<'_>) -> Depth {
    match target {
        Expr::List(list) => 1 + list.items.iter().map(parts).min().unwrap_or(KEPT).min(100),
        Expr::Tuple(tuple) => 1 + tuple.items.iter().map(parts).min().unwrap_or(KEPT).min(100),
        _ => KEPT,
    }
}

fn optional(expr: Option<&Expr<'_>>) -> Result<(), TemplateError> {
    expr.map_or(Ok(()), |expr| expression(expr, KEPT))
}

fn each(all: &[Expr<'_>], depth: Depth) -> Result<(), TemplateError> {
    all.iter().try_for_each(|expr| expression(expr, depth))
}

fn arguments(all: &[CallArg<'_>], depth: Depth) -> Result<(), TemplateError> {
    all.iter().try_for_each(|argument| match argument {
        CallArg::Pos(expr)
        | CallArg::Kwarg(_, expr)
        | CallArg::PosSplat(expr)
        | CallArg::KwargSplat(expr) => expression(expr, depth),
    })
}

fn expression(expr: &Expr<'_>, depth: Depth) -> Result<(), TemplateError> {
    match expr {
        Expr::Var(_) | Expr::Const(_) => Ok(()),
        Expr::List(list) => made(expr, depth).and_then(|()| each(&list.items, inside(depth))),
        Expr::Tuple(tuple) => made(expr, depth).and_then(|()| each(&tuple.items, inside(depth))),
        Expr::Map(map) => {
            made(expr, depth)?;
            each(&map.keys, KEPT)?;
            each(&map.values, inside(depth))
        }
        Expr::Slice(slice) => {
            optional(slice.start.as_ref())?;
            optional(slice.stop.as_ref())?;
            optional(slice.step.as_ref())?;
            expression(&slice.expr, depth)
        }
        Expr::UnaryOp(operation) => expression(&operation.expr, KEPT),
        Expr::BinOp(operation) => {
            let (left, right) = match operation.op {
                BinOpKind::ScAnd | BinOpKind::ScOr => (depth, depth),
                BinOpKind::In => (KEPT, GONE),
                _ => (KEPT, KEPT),
            };
            if matches!(operation.op, BinOpKind::Add)
                && !is_text(&operation.left)
                && !is_text(&operation.right)
            {
                return refuse(
                    expr,
                    "`+` adds numbers: write `|int` or `|float` behind one of both, and `~` between texts",
                );
            }
            expression(&operation.left, left)?;
            expression(&operation.right, right)
        }
        Expr::Compare(compare) => {
            expression(&compare.expr, KEPT)?;
            compare.ops.iter().try_for_each(|operation| match operation.op {
                CompareOpKind::In | CompareOpKind::NotIn => expression(&operation.expr, GONE),
                _ => expression(&operation.expr, KEPT),
            })
        }
        Expr::IfExpr(condition) => {
            expression(&condition.test_expr, KEPT)?;
            expression(&condition.true_expr, depth)?;
            condition
                .false_expr
                .as_ref()
                .map_or(Ok(()), |expr| expression(expr, depth))
        }
        Expr::Filter(filter) => filtered(expr, filter.name, filter.expr.as_ref(), &filter.args, depth),
        Expr::Test(test) => {
            expression(&test.expr, KEPT)?;
            arguments(&test.args, if test.name == "in" { GONE } else { KEPT })
        }
        Expr::GetAttr(get) => expression(&get.expr, depth.saturating_add(1)),
        Expr::GetItem(get) => {
            expression(&get.subscript_expr, KEPT)?;
            expression(&get.expr, depth.saturating_add(1))
        }
        Expr::Call(call) => {
            if matches!(&call.expr, Expr::Var(name) if name.id == "range") {
                made(expr, depth)?;
            }
            called(call)
        }
    }
}

/// What is called is there already: `range`, and the loop that one is in.
fn called(call: &Call<'_>) -> Result<(), TemplateError> {
    match &call.expr {
        Expr::Var(name) if matches!(name.id, "range" | "loop") => {}
        Expr::GetAttr(get) if matches!(&get.expr, Expr::Var(name) if name.id == "loop") => {}
        other => {
            return refuse(
                other,
                "nothing can be called but `range` and what belongs to `loop`",
            );
        }
    }
    arguments(&call.args, KEPT)
}

fn filtered(
    expr: &Expr<'_>,
    name: &str,
    input: Option<&Expr<'_>>,
    args: &[CallArg<'_>],
    depth: Depth,
) -> Result<(), TemplateError> {
    let looks_into_arguments = matches!(name, "reject" | "rejectattr" | "select" | "selectattr");
    let (input_depth, args_depth) = match name {
        name if OF_TEXT.contains(&name) => (GONE, KEPT),
        name if OTHERWISE.contains(&name) => (depth, depth),
        name if OF_ELEMENTS.contains(&name) => (depth.saturating_add(1), KEPT),
        name if OF_LISTS.contains(&name) => {
            made(expr, depth)?;
            if name == "map" && !makes_texts(args) {
                let why =
                    "`map` takes `attribute=\"…\"`, or the name of a filter that makes texts or numbers";
                return refuse(expr, why);
            }
            let pairs = matches!(name, "items" | "dictsort");
            let input = if pairs { inside(depth) } else { depth };
            (input, if looks_into_arguments { GONE } else { KEPT })
        }
        name => return refuse(expr, &format!("there is no filter `{name}`")),
    };
    if let Some(input) = input {
        expression(input, input_depth)?;
    }
    arguments(args, args_depth)
}

/// Whether `map` with these makes texts, or what stands in the elements.
fn makes_texts(args: &[CallArg<'_>]) -> bool {
    let mut positions = args
        .iter()
        .filter(|argument| !matches!(argument, CallArg::Kwarg(..)));
    match positions.next() {
        None => true,
        Some(CallArg::Pos(Expr::Const(name))) => {
            name.value.as_str().is_some_and(|name| OF_TEXT.contains(&name))
        }
        Some(_) => false,
    }
}

/// Whether this is a text or a number, whatever the event says.
fn is_text(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Const(_) | Expr::UnaryOp(_) | Expr::Test(_) | Expr::Compare(_) => true,
        Expr::BinOp(operation) => match operation.op {
            BinOpKind::ScAnd | BinOpKind::ScOr | BinOpKind::Mul => {
                is_text(&operation.left) && is_text(&operation.right)
            }
            _ => true,
        },
        Expr::IfExpr(either) => is_text(&either.true_expr) && either.false_expr.as_ref().is_none_or(is_text),
        Expr::Filter(filter) => OF_TEXT.contains(&filter.name),
        Expr::GetAttr(get) => matches!(&get.expr, Expr::Var(name) if name.id == "loop"),
        _ => false,
    }
}
