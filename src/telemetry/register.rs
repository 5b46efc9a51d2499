//! Makes metrics from their row in the catalogue and registers them.
//!
//! A name without the prefix in, the metric out, with a child for each combination of known words.
//! Knows nothing of when they are counted.

use super::catalogue::{CATALOGUE, Kind, Metric, OTHER, SIZE_BUCKETS, STAGE_BUCKETS, STAGES};
use super::families::{Pairs, Table};
use prometheus::core::Collector;
use prometheus::{
    CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

/// What stands before every name.
const PREFIX: &str = "portreeve_";

/// Registers in this registry.
pub(super) struct Register<'r>(pub(super) &'r Registry);

impl Register<'_> {
    pub(super) fn counter(&self, name: &str) -> IntCounter {
        self.counters(name).with_label_values::<&str>(&[])
    }

    pub(super) fn gauge(&self, name: &str) -> IntGauge {
        self.gauges(name).with_label_values::<&str>(&[])
    }

    pub(super) fn counters(&self, name: &str) -> IntCounterVec {
        let metric = row(name, Kind::Counter);
        self.add(IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels))
    }

    /// A counter of what comes in fractions.
    pub(super) fn fractions(&self, name: &str) -> CounterVec {
        let metric = row(name, Kind::Counter);
        self.add(CounterVec::new(Opts::new(metric.name, metric.help), metric.labels))
    }

    pub(super) fn gauges(&self, name: &str) -> IntGaugeVec {
        let metric = row(name, Kind::Gauge);
        self.add(IntGaugeVec::new(Opts::new(metric.name, metric.help), metric.labels))
    }

    /// A counter over closed sets.
    pub(super) fn counter_table<const N: usize>(
        &self,
        name: &str,
        words: [&'static [&'static str]; N],
    ) -> Table<IntCounter, N> {
        let counters = self.counters(name);
        let other = counters.with_label_values(&[OTHER; N]);
        Table::new(words, other, |labels| counters.with_label_values(&labels))
    }

    /// A counter over pairs that make sense.
    pub(super) fn counter_pairs(
        &self,
        name: &str,
        pairs: &'static [(&'static str, &'static [&'static str])],
    ) -> Pairs<IntCounter> {
        let counters = self.counters(name);
        let other = counters.with_label_values(&[OTHER; 2]);
        Pairs::new(pairs, other, |labels| counters.with_label_values(&labels))
    }

    /// A gauge over a closed set.
    pub(super) fn gauge_table(&self, name: &str, words: &'static [&'static str]) -> Table<IntGauge, 1> {
        let gauges = self.gauges(name);
        let other = gauges.with_label_values(&[OTHER]);
        Table::new([words], other, |labels| gauges.with_label_values(&labels))
    }

    pub(super) fn stages(&self) -> Table<Histogram, 1> {
        let histograms = self.histograms("stage_duration_seconds", &STAGE_BUCKETS);
        let other = histograms.with_label_values(&[OTHER]);
        // Stages are words of our own, and a histogram that never moves is eighteen series.
        let _ = histograms.remove_label_values(&[OTHER]);
        Table::new([STAGES], other, |labels| histograms.with_label_values(&labels))
    }

    pub(super) fn message_size(&self) -> Histogram {
        self.histograms("message_size_bytes", &SIZE_BUCKETS)
            .with_label_values::<&str>(&[])
    }

    pub(super) fn build_info(&self) {
        let commit = option_env!("PORTREEVE_COMMIT").unwrap_or("unknown");
        self.gauges("build_info")
            .with_label_values(&[env!("CARGO_PKG_VERSION"), commit])
            .set(1);
    }

    /// Processor time, memory, file descriptors: what the operating system says of us.
    pub(super) fn process(&self) {
        #[cfg(target_os = "linux")]
        // Without it there are no `process_*` metrics, and that is all.
        let _ = self
            .0
            .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()));
    }

    fn histograms(&self, name: &str, buckets: &[f64]) -> HistogramVec {
        let metric = row(name, Kind::Histogram);
        let options = HistogramOpts::new(metric.name, metric.help).buckets(buckets.to_vec());
        self.add(HistogramVec::new(options, metric.labels))
    }

    #[expect(
        clippy::expect_used,
        reason = "names and labels come from a constant table, and every test that makes a Telemetry registers all of it"
    )]
    fn add<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("a row of the catalogue is well-formed");
        self.0
            .register(Box::new(collector.clone()))
            .expect("a row of the catalogue is registered once");
        collector
    }
}

#[expect(
    clippy::expect_used,
    reason = "names are literals of this folder, and every test that makes a Telemetry asks for all of them"
)]
fn row(name: &str, kind: Kind) -> &'static Metric {
    CATALOGUE
        .iter()
        .find(|metric| metric.kind == kind && metric.name.strip_prefix(PREFIX) == Some(name))
        .expect("the metric stands in the catalogue")
}
