//! The statistics for Prometheus and its like: OpenMetrics by HTTP, if the settings say where.
#[cfg(test)]
mod tests;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ikedaemon::statistics::{Figure, Group, Kind};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text::encode};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};

use super::answers::Service;
use crate::control::report::Status;

/// Connections that are served at once; others wait.
const CONNECTIONS: usize = 16;

/// How long a connection may last.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who asks again so soon gets the same answer.
const FRESH: Duration = Duration::from_secs(1);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Opens the socket.
pub(super) async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// The last answer, and when it was made.
type Last = Mutex<Option<(Instant, String)>>;

/// Serves the statistics for as long as the service runs.
pub(super) async fn serve(listener: TcpListener, service: Arc<Service>) {
    let last = Arc::new(Last::default());
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(target: "policyagent::metrics", "a connection is lost: {error}");
                // Without descriptors it fails at once, again and again.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (service, last) = (Arc::clone(&service), Arc::clone(&last));
        tokio::spawn(async move {
            let answers = service_fn(|request| answer(request, &service, &last));
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).max_buf_size(16 * 1024);
            let connection = http.serve_connection(TokioIo::new(stream), answers);
            // Whoever asks may go away at any time.
            let _ = tokio::time::timeout(PATIENCE, connection).await;
            drop(permit);
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    service: &Service,
    last: &Last,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => match metrics(service, last).await {
            Ok(text) => (StatusCode::OK, OPEN_METRICS, text),
            Err(error) => (StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", format!("{error}\n")),
        },
        (&Method::GET | &Method::HEAD, _) => {
            (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "the statistics are at /metrics\n".to_owned())
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "allowed: GET, HEAD\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
    }
    Ok(response)
}

/// The text, made anew unless it is fresh: how often somebody asks must not become the engine's work.
async fn metrics(service: &Service, last: &Last) -> Result<String, String> {
    let mut last = last.lock().await;
    if let Some((_, text)) = last.as_ref().filter(|(made, _)| made.elapsed() < FRESH) {
        return Ok(text.clone());
    }
    let status = service.status().await.map_err(|error| error.to_string())?;
    let text = text(status).map_err(|error| error.to_string())?;
    *last = Some((Instant::now(), text.clone()));
    Ok(text)
}

/// The name of a figure's metric; that of a counter's sample has `_total` behind it.
fn name(figure: Figure) -> String {
    let group = match figure.group() {
        Group::MainMode => "main_mode",
        Group::QuickMode => "quick_mode",
    };
    format!("policyagent_{group}_{}", figure.key())
}

/// The status as OpenMetrics.
fn text(status: Status) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Figures(status)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// What the service tells, as metrics.
#[derive(Debug)]
struct Figures(Status);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Status { service, driver, policy, statistics, .. } = &self.0;
        let labels = vec![("version", service.version.clone()), ("driver", driver.name.clone())];
        let info = Info::new(labels);
        info.encode(encoder.encode_descriptor(
            "policyagent",
            "The service and its driver",
            None,
            info.metric_type(),
        )?)?;
        for (name, help, value) in [
            ("policyagent_uptime_seconds", "Seconds since the service is up", service.uptime_seconds),
            ("policyagent_policy_version", "The number of the policy in force", policy.version),
        ] {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        for figure in Figure::ALL {
            // What nobody can know is not there, rather than 0.
            let Some(value) = statistics.get(*figure) else { continue };
            let name = name(*figure);
            match figure.kind() {
                Kind::Counter => {
                    let counter = ConstCounter::new(value);
                    counter.encode(encoder.encode_descriptor(&name, figure.help(), None, counter.metric_type())?)?;
                }
                Kind::Gauge => {
                    let gauge = ConstGauge::new(value);
                    gauge.encode(encoder.encode_descriptor(&name, figure.help(), None, gauge.metric_type())?)?;
                }
            }
        }
        Ok(())
    }
}
