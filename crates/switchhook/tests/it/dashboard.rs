//! The dashboard: who may see and do what, and what a person sees in a real browser.

mod access;
mod accessibility;
mod authorization;
mod bad_forms;
mod fixture;
mod keys;
mod pages;
mod pictures;
mod tour;
