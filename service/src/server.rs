//! The server: configuration as plain data, then bind, serve, drain.

use std::borrow::Cow;
use std::future::Future;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::problem::{MAX_FILE_BYTES, ProblemFile};
use ketscale_proto::v1::FILE_DESCRIPTOR_SET;
use ketscale_proto::v1::plan_service_server::PlanServiceServer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::transport::Server as Transport;
use tonic::transport::server::TcpIncoming;

use crate::admin::Admin;
use crate::controller::{Continuous, Controlled, Controller, Shared, controllers};
use crate::grpc::Plans;
use crate::live::LiveProblems;
use crate::metrics::Metrics;
use crate::planning::Planner;
use crate::prometheus::{Client, ClientSettings, PrometheusError, Queries};
use crate::store::{Store, StoreError};

/// What a message may hold beside a problem file of the largest size.
const MESSAGE_SLACK_BYTES: usize = 1 << 20;

/// Requests that one connection may have open.
const MAX_CALLS_PER_CONNECTION: usize = 64;

/// How often a silent connection is asked whether its peer is alive.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How long a drain waits for calls to be answered and clients to go; below the 30 s after which Kubernetes kills.
const DRAIN_GRACE: Duration = Duration::from_secs(20);

/// What a server needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address to listen on. Default 127.0.0.1:7311; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The SQLite file that keeps the plans; made if missing.
    pub store: PathBuf,
    /// Address of the admin port: metrics and health over HTTP. Default none.
    pub admin: Option<SocketAddr>,
    /// Where live values come from. Default none.
    pub live: Option<LiveConfig>,
    /// Prices and sizes that problems leave out. Default the built-in catalogue.
    pub catalogue: Cow<'static, Catalogue>,
    /// Longest time for one plan. Default 60 s.
    pub max_plan_time: Duration,
    /// Plans made, and plan files verified, at the same time; each may use all cores. Default 2, at least 1.
    pub max_running: usize,
    /// Requests that wait for one of those places; further ones are told to come again. Default 16.
    pub max_waiting: usize,
}

/// Where live values come from.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// The Prometheus.
    pub prometheus: ClientSettings,
    /// What to ask it.
    pub queries: Queries,
    /// The problems that clients may name, with values to fall back on; as read, not resolved.
    pub problems: Vec<ProblemFile>,
    /// How the problems are planned continuously. Default not at all, only when a client asks.
    pub continuous: Option<Continuous>,
}

impl Config {
    /// The defaults with a store.
    pub fn new(store: PathBuf) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7311)),
            store,
            admin: None,
            live: None,
            catalogue: Cow::Borrowed(Catalogue::built_in()),
            max_plan_time: Duration::from_secs(60),
            max_running: 2,
            max_waiting: 16,
        }
    }
}

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        reason: String,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The Prometheus' address is wrong.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
    /// Two live problems have one name.
    #[error("two live problems are named {0:?}")]
    DuplicateProblem(String),
    /// The transport failed.
    #[error("the server failed: {0}")]
    Transport(String),
}

/// A server that listens but does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    plans: Plans,
    admin: Option<Admin>,
    controllers: Vec<Controller>,
    store: Store,
    drain: watch::Sender<bool>,
}

impl Server {
    /// Opens the store and the ports.
    ///
    /// # Errors
    /// Every [`ServeError`] but the last.
    pub async fn bind(config: Config) -> Result<Self, ServeError> {
        let store = Store::open(&config.store).await?;
        let (listener, address) = listen(config.listen).await?;
        let loops = Loops::new(&config, &store)?;
        let admin = match config.admin {
            Some(address) => Some(Admin::new(listen(address).await?, loops.metrics)),
            None => None,
        };
        let (drain, draining) = watch::channel(false);
        let planner = Planner::new(
            config.catalogue,
            config.max_running.max(1),
            config.max_waiting,
            draining,
        );
        let plans = Plans {
            store: store.clone(),
            planner,
            live: loops.live,
            controlled: loops.controlled,
            max_plan_time: config.max_plan_time,
        };
        Ok(Self {
            listener,
            address,
            plans,
            admin,
            controllers: loops.controllers,
            store,
            drain,
        })
    }

    /// The address, with the port that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of the admin port, if there is one.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Admin::address)
    }

    /// Answers and plans until `shutdown` ends; then takes no new calls, tells running planners to finish with what they have, answers
    /// them, waits at most 20 s for clients to go, and closes the store. The admin port answers to the end.
    ///
    /// # Errors
    /// [`ServeError::Transport`].
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let transport = |error: String| ServeError::Transport(error);
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<PlanServiceServer<Plans>>().await;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(|error| transport(error.to_string()))?;
        let plans = PlanServiceServer::new(self.plans)
            .max_decoding_message_size(MAX_FILE_BYTES + MESSAGE_SLACK_BYTES);
        let patience = patience(self.drain.subscribe());
        let mut controllers = JoinSet::new();
        for controller in self.controllers {
            controllers.spawn(controller.run(self.drain.subscribe()));
        }
        let admin = self.admin.map(|admin| tokio::spawn(admin.serve()));
        let drain = self.drain;
        let until = async move {
            shutdown.await;
            tracing::info!("draining");
            health.set_not_serving::<PlanServiceServer<Plans>>().await;
            health
                .set_service_status("", tonic_health::ServingStatus::NotServing)
                .await;
            // Nobody listens when no plan is being made.
            let _ = drain.send(true);
        };
        tracing::info!(address = %self.address, "serving");
        let served = Transport::builder()
            .concurrency_limit_per_connection(MAX_CALLS_PER_CONNECTION)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .add_service(health_service)
            .add_service(reflection)
            .add_service(plans)
            .serve_with_incoming_shutdown(
                TcpIncoming::from(self.listener).with_nodelay(Some(true)),
                until,
            );
        tokio::select! {
            served = served => served.map_err(|error| transport(error.to_string()))?,
            () = patience => tracing::warn!("clients are still connected after {} s", DRAIN_GRACE.as_secs()),
        }
        // Their last cycles end early, with what they have.
        controllers.join_all().await;
        self.store.close().await;
        if let Some(admin) = admin {
            admin.abort();
        }
        tracing::info!("drained");
        Ok(())
    }
}

/// Ends some time after the drain has begun.
async fn patience(mut draining: watch::Receiver<bool>) {
    match draining.wait_for(|draining| *draining).await {
        Ok(_) => tokio::time::sleep(DRAIN_GRACE).await,
        // The server ended before anyone asked it to.
        Err(_) => std::future::pending().await,
    }
}

/// Binds, prints `listening on ADDRESS` and, where there is an admin port, `admin on ADDRESS` as the only lines on standard output, and
/// serves until `shutdown` ends.
///
/// # Errors
/// Every [`ServeError`].
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
    let server = Server::bind(config).await?;
    let mut out = std::io::stdout();
    // Who closed standard output does not want to know.
    let mut lines = format!("listening on {}\n", server.address());
    if let Some(address) = server.admin_address() {
        lines.push_str(&format!("admin on {address}\n"));
    }
    let _ = out.write_all(lines.as_bytes()).and_then(|()| out.flush());
    server.serve(shutdown).await
}

/// Takes a port; the address has its number where any was asked for.
async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let refuse = |error: std::io::Error| ServeError::Listen {
        address,
        reason: error.to_string(),
    };
    let listener = TcpListener::bind(address).await.map_err(refuse)?;
    let address = listener.local_addr().map_err(refuse)?;
    Ok((listener, address))
}

/// The live problems, and the loops that plan them continuously if they are to.
struct Loops {
    live: LiveProblems,
    controllers: Vec<Controller>,
    controlled: Controlled,
    metrics: Arc<Metrics>,
}

impl Loops {
    fn new(config: &Config, store: &Store) -> Result<Self, ServeError> {
        let Some(live) = &config.live else {
            return Ok(Self {
                live: LiveProblems::none(),
                controllers: Vec::new(),
                controlled: Controlled::default(),
                metrics: Arc::new(Metrics::new([], Duration::ZERO)),
            });
        };
        let client = Client::new(live.prometheus.clone())?;
        let problems =
            LiveProblems::new(client.clone(), live.queries.clone(), live.problems.clone())
                .map_err(ServeError::DuplicateProblem)?;
        let planned = if live.continuous.is_some() {
            live.problems.as_slice()
        } else {
            &[]
        };
        let names = planned.iter().map(|problem| problem.name.clone());
        let how = live.continuous.clone().unwrap_or_default();
        let shared = Shared {
            client,
            queries: live.queries.clone(),
            catalogue: config.catalogue.clone(),
            store: store.clone(),
            metrics: Arc::new(Metrics::new(names, how.every)),
            how,
        };
        let (controllers, controlled) = controllers(&shared, planned);
        Ok(Self {
            live: problems,
            controllers,
            controlled,
            metrics: shared.metrics,
        })
    }
}
