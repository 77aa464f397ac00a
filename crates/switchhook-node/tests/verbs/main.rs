//! Verbs, without HTTP: who may do what, and what is refused in which words.

mod authorization;
mod callers;
mod fixture;
mod reads;
mod refusals;
