//! The dashboard: who may see and do what, and what a person sees in a real browser.

mod access;
mod authorization;
mod bad_forms;
mod house;
mod keys;
mod pages;
mod pictures;
mod sight;
mod tour;
