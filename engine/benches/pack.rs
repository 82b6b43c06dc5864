//! Seconds to pack published instances of vector bin packing and cloud balancing, with cost and bound.
//!
//! `cargo bench -p ketscale-engine --bench pack [-- DIRECTORY …]`; without directories those of `../shared/data`. Each answer is checked.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ketscale_engine::limits::Limits;
use ketscale_engine::vector_packing::{read, solve};

/// Seconds after which a search is cut.
const TIME_LIMIT: Duration = Duration::from_secs(60);

fn main() {
    let given: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .map(PathBuf::from)
        .collect();
    let folders = if given.is_empty() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
        vec![data.join("vectorpack"), data.join("timefold")]
    } else {
        given
    };
    println!(
        "{:<32} {:>6} {:>6} {:>8} {:>8} {:>10} {:>8}",
        "instance", "items", "bins", "cost", "bound", "status", "seconds"
    );
    for folder in folders {
        let Ok(entries) = folder.read_dir() else {
            println!("{}: is not there", folder.display());
            continue;
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| {
            path.extension()
                .is_some_and(|end| end == "vbp" || end == "json")
        });
        paths.sort();
        paths.iter().for_each(|path| measure(path));
    }
}

fn measure(path: &Path) {
    let bytes = std::fs::read(path).expect("the file can be read");
    let instance = read(&bytes).expect("the file is well formed");
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(TIME_LIMIT);
        flag.store(true, Ordering::Relaxed);
    });
    let start = Instant::now();
    let limits = Limits::new(&stop, None);
    let solution = solve(&instance, &limits);
    let seconds = start.elapsed().as_secs_f64();
    assert!(instance.is_packing(&solution.packing), "{}", path.display());
    let items: u32 = instance.items.iter().map(|item| item.count).sum();
    println!(
        "{:<32} {:>6} {:>6} {:>8} {:>8} {:>10} {:>8.2}",
        path.file_stem().unwrap_or_default().to_string_lossy(),
        items,
        solution.packing.len(),
        solution
            .cost
            .map_or("-".to_owned(), |cost| cost.to_string()),
        solution.bound,
        format!("{:?}", solution.status),
        seconds
    );
}
