//! The admin port: metrics in the Prometheus text format, and whether the server lives and keeps up.
//!
//! `GET /metrics`; `GET /healthz`: 200 while the process answers; `GET /readyz`: 200 while every continuously planned problem ended a
//! cycle recently, 503 with the names of those that did not. It has a port of its own, so that it answers under load as well.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::metrics::Metrics;

/// The version of the text format, as <https://prometheus.io/docs/instrumenting/exposition_formats/> has it.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// An admin port that listens but does not answer yet.
pub(crate) struct Admin {
    listener: TcpListener,
    address: SocketAddr,
    metrics: Arc<Metrics>,
}

impl Admin {
    /// On a port that was taken, with its address.
    pub(crate) fn new(
        (listener, address): (TcpListener, SocketAddr),
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            listener,
            address,
            metrics,
        }
    }

    /// The address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self) {
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(async || "alive\n"))
            .route("/readyz", get(ready))
            .with_state(self.metrics);
        tracing::info!(address = %self.address, "admin port");
        if let Err(error) = axum::serve(self.listener, router).await {
            tracing::error!(%error, "the admin port failed");
        }
    }
}

async fn metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn ready(State(metrics): State<Arc<Metrics>>) -> Response {
    let late = metrics.late(Timestamp::now());
    if late.is_empty() {
        "ready\n".into_response()
    } else {
        let late = format!("no recent cycle of {}\n", late.join(", "));
        (StatusCode::SERVICE_UNAVAILABLE, late).into_response()
    }
}
