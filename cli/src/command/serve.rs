//! `ketscale serve`: answers requests for plans over gRPC, and plans continuously, until it is told to stop.

use std::time::Duration;

use ketscale_service::Continuous;
use ketscale_service::server::{Config, LiveConfig, ServeError, run as serve};
use tracing_subscriber::EnvFilter;

use super::live;
use crate::args::ServeArgs;
use crate::exit::{Exit, Failure};
use crate::{bug, input};

pub(super) fn run(args: ServeArgs) -> Result<Exit, Failure> {
    let config = config(args)?;
    bug::watch_aloud();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    live::wait(serve(config, told_to_stop()))?.map_err(refuse)?;
    Ok(Exit::Yes)
}

fn config(args: ServeArgs) -> Result<Config, Failure> {
    let continuous = continuous(&args)?;
    let live = match (args.prometheus, &args.problem) {
        (Some(url), Some(problem)) => {
            let queries = live::queries(args.queries.as_deref())?;
            Some(LiveConfig {
                prometheus: live::settings(&url, &queries),
                queries,
                problems: vec![input::problem(problem)?],
                continuous,
            })
        }
        _ => None,
    };
    let catalogue = input::catalogue(args.prices.as_deref())?;
    Ok(Config {
        listen: args.listen,
        admin: args.admin,
        live,
        catalogue,
        ..Config::new(args.store)
    })
}

/// How to plan continuously, where that is asked for.
fn continuous(args: &ServeArgs) -> Result<Option<Continuous>, Failure> {
    let Some(every) = args.every else {
        return Ok(None);
    };
    if let Some(folder) = &args.record
        && !folder.is_dir()
    {
        return Err(Failure::input(format!(
            "{}: no such folder",
            folder.display()
        )));
    }
    Ok(Some(Continuous {
        every: Duration::from_secs_f64(every),
        settings: input::control(args.control.as_deref())?,
        record: args.record.clone(),
    }))
}

/// Ends with Ctrl-C, or with the signal by which a supervisor stops a process.
async fn told_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}

fn refuse(error: ServeError) -> Failure {
    match error {
        ServeError::Prometheus(error) => live::refuse_prometheus(error),
        ServeError::DuplicateProblem(_) => Failure::input(error),
        ServeError::Listen { .. } | ServeError::Store(_) | ServeError::Transport(_) => {
            Failure::environment(error)
        }
    }
}
