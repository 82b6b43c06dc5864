//! What a service's load asks of its replicas, by the definitions of the problem file.

use ketscale_engine::problem::{Capacity, Load, Mode, Relaxation, Service, Slo, Survive};

/// What a total of replicas means for a service.
pub struct Level {
    /// Whether a plan may have it, bounds aside.
    pub allowed: bool,
    /// Whether it carries the load.
    pub carries: bool,
    /// Expected use of a pod: millicores and bytes.
    pub pod_use: [u64; 2],
    pub slo_usd_per_hour: f64,
}

/// Every total from 0 up to the highest bounds.
pub fn levels(service: &Service, relaxed: &[Relaxation]) -> Vec<Level> {
    let loaded = Loaded::of(service, relaxed);
    let bounds = service.clusters.values();
    let most: u32 = bounds
        .map(|bounds| bounds.max.max(bounds.now.unwrap_or(0)))
        .sum();
    let level = |replicas| match &loaded {
        Some(loaded) => loaded.level(replicas),
        None => Level {
            allowed: true,
            carries: true,
            pod_use: [0, 0],
            slo_usd_per_hour: 0.0,
        },
    };
    (0..=most).map(level).collect()
}

/// A service whose load and capacity are known.
struct Loaded<'a> {
    service: &'a Service,
    load: &'a Load,
    capacity: &'a Capacity,
    slo_is_soft: bool,
}

impl<'a> Loaded<'a> {
    /// `None` without a load or a capacity: the replicas are then held.
    fn of(service: &'a Service, relaxed: &[Relaxation]) -> Option<Self> {
        Some(Self {
            service,
            load: service.load.as_ref()?,
            capacity: service.capacity.as_ref()?,
            slo_is_soft: relaxed.contains(&Relaxation::Slo),
        })
    }

    fn level(&self, replicas: u32) -> Level {
        Level {
            allowed: self.allows(replicas),
            carries: self.carries(replicas),
            pod_use: if replicas == 0 {
                [0, 0]
            } else {
                self.pod_use(replicas)
            },
            slo_usd_per_hour: self.slo_usd_per_hour(replicas),
        }
    }

    /// Whether a plan may have so many replicas, bounds aside.
    fn allows(&self, replicas: u32) -> bool {
        let observed = self.service.mode == Mode::Observe;
        let survives = self.service.placement.survive == Survive::None;
        (observed || (self.carries(replicas) && self.keeps_hard_slo(replicas)))
            // Whatever fails takes a pod with it.
            && (survives || replicas == 0 || self.carries(replicas - 1))
    }

    /// Whether so many replicas carry the load: CPU at most at its target, and a queue that does not grow for ever.
    fn carries(&self, replicas: u32) -> bool {
        if replicas == 0 {
            return self.load.rps == 0.0;
        }
        let request = self.service.requests["cpu"].milli().unwrap() as f64;
        let most = self.capacity.target_utilization * (1.0 + 1e-12);
        let serves = self.capacity.service_time_ms.is_none_or(|ms| {
            self.load.rps == 0.0 || self.load.rps < self.servers(replicas) * 1000.0 / ms
        });
        self.cpu_mcores(replicas) / request <= most && serves
    }

    fn pod_use(&self, replicas: u32) -> [u64; 2] {
        let peak = self.capacity.memory_peak.as_ref();
        [
            self.cpu_mcores(replicas).ceil() as u64,
            peak.map_or(0, |peak| peak.units().unwrap()),
        ]
    }

    /// idle + rps / r · `cpu_per_rps`.
    fn cpu_mcores(&self, replicas: u32) -> f64 {
        let idle = self.capacity.idle_cpu.milli_f64().unwrap();
        let each = self.capacity.cpu_per_rps.milli_f64().unwrap();
        idle + self.load.rps / f64::from(replicas) * each
    }

    /// `usd_per_hour · min(10, max(0, p95/objective − 1))`; nobody waits without load.
    fn slo_usd_per_hour(&self, replicas: u32) -> f64 {
        let (Some((slo, _)), true) = (self.objective(), self.load.rps > 0.0) else {
            return 0.0;
        };
        let p95 = self.p95_ms(replicas).unwrap_or(f64::INFINITY);
        slo.usd_per_hour.unwrap_or(0.0) * (p95 / slo.latency_p95_ms - 1.0).clamp(0.0, 10.0)
    }

    fn keeps_hard_slo(&self, replicas: u32) -> bool {
        let objective = self.objective();
        let hard = objective.filter(|(slo, _)| slo.usd_per_hour.is_none() && !self.slo_is_soft);
        hard.is_none_or(|(slo, _)| {
            let p95 = self.p95_ms(replicas);
            p95.is_some_and(|p95| p95 <= slo.latency_p95_ms * (1.0 + 1e-12))
        })
    }

    /// The objective with the shift of the waiting part in ms; none where the model is off by more than half of what is observed.
    fn objective(&self) -> Option<(&Slo, f64)> {
        let slo = self.service.slo.as_ref()?;
        let now: Option<u32> = self
            .service
            .clusters
            .values()
            .map(|bounds| bounds.now)
            .sum();
        let (Some(observed), Some(now)) = (slo.observed_p95_ms, now) else {
            return Some((slo, 0.0));
        };
        let shift = observed - self.modelled_p95_ms(now)?;
        (shift.abs() <= 0.5 * observed).then_some((slo, shift))
    }

    fn p95_ms(&self, replicas: u32) -> Option<f64> {
        let (_, shift) = self.objective()?;
        let served = 20_f64.ln() * self.capacity.service_time_ms?;
        let waiting = self.modelled_p95_ms(replicas)? - served + shift;
        Some(served + waiting.max(0.0))
    }

    fn servers(&self, replicas: u32) -> f64 {
        f64::from(replicas * self.capacity.concurrency)
    }

    /// p95 of an M/M/c queue by bisection; none where the queue grows for ever.
    fn modelled_p95_ms(&self, replicas: u32) -> Option<f64> {
        let (servers, mu) = (self.servers(replicas), 1.0 / self.capacity.service_time_ms?);
        let lambda = self.load.rps / 1000.0;
        let eta = servers * mu - lambda;
        if eta <= 0.0 {
            return None;
        }
        let waits = waiting_probability(lambda / mu, servers);
        let tail = |t: f64| {
            let late = if (eta - mu).abs() <= 1e-9 * mu {
                (1.0 + mu * t) * (-mu * t).exp()
            } else {
                (eta * (-mu * t).exp() - mu * (-eta * t).exp()) / (eta - mu)
            };
            (1.0 - waits) * (-mu * t).exp() + waits * late
        };
        let (mut low, mut high) = (0.0, 1.0);
        while tail(high) > 0.05 {
            high *= 2.0;
        }
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            *(if tail(middle) > 0.05 {
                &mut low
            } else {
                &mut high
            }) = middle;
        }
        Some(high)
    }
}

/// Erlang C, summed up: `(a^c/c!) / (a^c/c! + (1 − a/c) Σ_{k<c} a^k/k!)` of the offered load a and c servers.
fn waiting_probability(offered: f64, servers: f64) -> f64 {
    let (mut term, mut below, mut k) = (1.0, 0.0, 0.0);
    while k < servers {
        below += term;
        k += 1.0;
        term *= offered / k;
    }
    term / (term + (1.0 - offered / servers) * below)
}
