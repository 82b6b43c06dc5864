//! Response time of a service as an M/M/c queue: Poisson arrivals, exponential service, `c` servers, one queue.

/// Response-time model of a service at one replica count.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    /// Arrivals a second, λ.
    pub arrivals_per_second: f64,
    /// Completions a second of one busy server, μ.
    pub service_per_second: f64,
    /// Servers, c ≥ 1.
    pub servers: f64,
}

impl Queue {
    /// True when work arrives more slowly than it can be served, λ < cμ.
    pub fn is_stable(&self) -> bool {
        self.arrivals_per_second < self.servers * self.service_per_second
    }

    /// Probability that an arrival waits: Erlang C by the Erlang-B recursion `B_k = aB_{k−1} / (k + aB_{k−1})`, a = λ/μ.
    pub fn waiting_probability(&self) -> f64 {
        let offered = self.arrivals_per_second / self.service_per_second;
        let mut blocking = 1.0;
        let mut k = 1.0;
        while k <= self.servers {
            blocking = offered * blocking / (k + offered * blocking);
            if blocking < 1e-30 {
                return 0.0;
            }
            k += 1.0;
        }
        let utilization = offered / self.servers;
        blocking / (1.0 - utilization * (1.0 - blocking))
    }

    /// `P(T > t)` of the response time, t in seconds; the queue must be stable.
    pub fn tail(&self, seconds: f64) -> f64 {
        self.tail_given(self.waiting_probability(), seconds)
    }

    fn tail_given(&self, waiting: f64, t: f64) -> f64 {
        let mu = self.service_per_second;
        let eta = self.servers * mu - self.arrivals_per_second;
        let served = (-mu * t).exp();
        if (eta - mu).abs() <= 1e-9 * mu {
            return (1.0 - waiting) * served + waiting * (1.0 + mu * t) * served;
        }
        (1.0 - waiting) * served + waiting * (eta * served - mu * (-eta * t).exp()) / (eta - mu)
    }

    /// 95th percentile of the response time in seconds by bisection; `None` when the queue is not stable.
    pub fn p95_seconds(&self) -> Option<f64> {
        if !self.is_stable() {
            return None;
        }
        let waiting = self.waiting_probability();
        let slowest = (self.servers * self.service_per_second - self.arrivals_per_second)
            .min(self.service_per_second);
        let (mut low, mut high) = (0.0, 3.0 / slowest);
        while self.tail_given(waiting, high) > 0.05 {
            high *= 2.0;
        }
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            if self.tail_given(waiting, middle) > 0.05 {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high)
    }

    /// 95th percentile of the service time alone, in seconds: `ln 20 / μ`.
    pub fn p95_without_waiting_seconds(&self) -> f64 {
        20.0_f64.ln() / self.service_per_second
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn queue(arrivals: f64, service: f64, servers: f64) -> Queue {
        Queue {
            arrivals_per_second: arrivals,
            service_per_second: service,
            servers,
        }
    }

    #[test]
    fn one_server_is_the_closed_form() {
        // M/M/1: response time is exponential with rate μ − λ, waiting probability λ/μ.
        let q = queue(3.0, 5.0, 1.0);
        assert!((q.waiting_probability() - 0.6).abs() < 1e-12);
        assert!((q.tail(0.7) - (-2.0_f64 * 0.7).exp()).abs() < 1e-12);
        assert!((q.p95_seconds().unwrap() - 20.0_f64.ln() / 2.0).abs() < 1e-9);
    }

    #[test]
    fn erlang_c_table_value() {
        // Offered load 8 erlang on 10 servers: C = 0.4092 (Erlang C tables).
        assert!((queue(8.0, 1.0, 10.0).waiting_probability() - 0.4092).abs() < 5e-5);
    }

    #[test]
    fn the_limit_at_equal_rates_is_continuous() {
        // η = cμ − λ = μ at λ = (c − 1)μ.
        let at = queue(4.0, 2.0, 3.0).tail(0.6);
        let near = queue(4.000_01, 2.0, 3.0).tail(0.6);
        assert!((at - near).abs() < 1e-5, "{at} {near}");
    }

    #[test]
    fn overload_has_no_percentile() {
        assert_eq!(queue(10.0, 5.0, 2.0).p95_seconds(), None);
    }

    #[test]
    fn more_servers_are_never_slower() {
        let mut last = f64::INFINITY;
        for servers in 5..60 {
            let p95 = queue(40.0, 10.0, f64::from(servers)).p95_seconds().unwrap();
            assert!(p95 <= last + 1e-12);
            last = p95;
        }
        assert!(last >= 20.0_f64.ln() / 10.0 - 1e-12);
    }
}
