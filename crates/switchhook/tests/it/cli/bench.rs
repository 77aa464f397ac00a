//! Measuring, as far as it does not depend on how fast the machine is.

use super::run::Shell;

#[test]
fn a_short_measurement_has_the_rows_that_were_asked_for_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let words = [
        "bench",
        "--quick",
        "--only",
        "live",
        "--seconds",
        "1",
        "--senders",
        "4",
        "--dir",
        ".",
        "--json",
    ];
    let report = shell.run(&words).ok().json();
    let rows = report["rows"].as_array().expect("rows are a list");
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["name"].as_str().unwrap_or_default(),
                row["load_percent"].as_u64(),
            )
        })
        .collect();
    let loads = [None, Some(25), Some(50), Some(75), Some(100)];
    let expected: Vec<_> = loads
        .into_iter()
        .flat_map(|load| [("floor", load), ("live", load)])
        .collect();
    assert_eq!(found, expected, "{report:#}");
    assert_eq!(rows[1]["ratio"]["to"], "floor");
    assert_eq!(rows[3]["ratio"]["to"], "the p99 of floor");
    for row in rows {
        assert!(row["per_second"]["median"].as_f64() > Some(0.0), "{row:#}");
        let is_on_schedule = row["load_percent"].is_u64();
        for latency in ["accepted", "delivered"] {
            assert_eq!(
                row[latency]["p999_ms"]["median"].is_f64(),
                is_on_schedule,
                "{row:#}"
            );
        }
    }
    assert!(report["machine"]["cores"].as_u64() >= Some(1), "{report:#}");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is left in the folder");
}

#[test]
fn a_quiet_hour_is_measured_on_a_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let report = shell
        .run(&["bench", "--quick", "--only", "quiet", "--dir", ".", "--json"])
        .ok()
        .json();
    let rows = report["rows"].as_array().expect("rows are a list");
    let names: Vec<_> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    // A third one where PostgreSQL is installed.
    assert!(names.starts_with(&["quiet-floor", "quiet-sqlite"]), "{report:#}");
    for row in rows {
        assert_eq!(row["senders"], 1, "{row:#}");
        assert!(row["accepted"]["p50_ms"]["median"].is_f64(), "{row:#}");
        assert!(row["delivered"]["p99_ms"]["median"].is_f64(), "{row:#}");
        assert!(row["per_second"]["median"].as_f64() <= Some(250.0), "{row:#}");
    }
    assert_eq!(rows[1]["ratio"]["to"], "the p99 of quiet-floor");
}

#[test]
fn what_cannot_be_measured_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let shell = Shell::new(folder.path());
    let unknown = shell.run(&["bench", "--only", "magic"]).failed(2);
    assert!(unknown.stderr.contains("fan-out"), "{unknown:?}");
    let nowhere = shell
        .run(&["bench", "--quick", "--dir", "./no/such/folder"])
        .failed(1);
    assert!(nowhere.stderr.contains("./no/such/folder"), "{nowhere:?}");
    let postgres = "postgres://somebody:hunter2@127.0.0.1:1/nothing";
    let unreachable = shell
        .run(&["bench", "--quick", "--only", "store", "--postgres", postgres])
        .failed(1);
    assert!(
        unreachable.stderr.contains("PostgreSQL cannot be reached"),
        "{unreachable:?}"
    );
    assert!(!unreachable.stderr.contains("hunter2"), "{unreachable:?}");
}
