//! Kafka, by librdkafka's mock cluster: brokers that go down and come back, a topic that is not there, records that are too long.
//!
//! `cargo test --features kafka-test --test kafka`: the mock is built from C, so it is asked for.

#[path = "outputs/peers.rs"]
mod peers;

use std::collections::BTreeSet;
use std::time::Duration;

use peers::{numbers, on_disk, options, put, until};
use picket::sink::destination::Destination;
use picket::sink::destination::kafka::KafkaOptions;
use picket::sink::{Output, OutputOptions};
use rdkafka::mocking::MockCluster;
use rskafka::client::ClientBuilder;
use rskafka::client::partition::UnknownTopicHandling;

/// What a partition holds, in its order, with the keys.
fn stored(brokers: &str, topic: &str, partition: i32) -> Vec<(String, usize)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let servers = brokers.split(',').map(str::to_owned).collect();
        let client = ClientBuilder::new(servers).build().await.expect("connects");
        let partition =
            client.partition_client(topic, partition, UnknownTopicHandling::Retry).await.expect("a partition");
        let mut all = Vec::new();
        loop {
            let from = all.len() as i64;
            let (records, end) = partition.fetch_records(from, 1..10_000_000, 500).await.expect("records");
            for record in &records {
                let text = |bytes: &Option<Vec<u8>>| String::from_utf8(bytes.clone().expect("bytes")).expect("UTF-8");
                all.push((text(&record.record.key), numbers(&text(&record.record.value))[0]));
            }
            if all.len() as i64 >= end || records.is_empty() {
                return all;
            }
        }
    })
}

#[test]
fn a_topic_gets_everything_after_outages() {
    let cluster = MockCluster::new(1).expect("a cluster");
    let brokers = cluster.bootstrap_servers();
    let folder = tempfile::tempdir().expect("folder");
    let kafka = KafkaOptions {
        brokers: brokers.split(',').map(str::to_owned).collect(),
        topic: "alerts".into(),
        timeout: Duration::from_secs(3),
        ..KafkaOptions::default()
    };
    let options =
        OutputOptions { destination: Destination::Kafka(kafka), spool: on_disk(folder.path()), ..options("kafka") };
    let output = Output::open(options).expect("opens");
    put(&output, 0..50);
    cluster.create_topic("alerts", 2, 1).expect("a topic");
    until("all arrived", || output.status().delivered == 50);
    cluster.broker_down(1).expect("down");
    put(&output, 50..80);
    until("the outage is known", || !output.status().is_up);
    cluster.broker_up(1).expect("up");
    let status = output.stop();
    assert_eq!((status.delivered, status.dropped, status.queue_records), (80, 0, 0), "{status:?}");
    let partitions = [0, 1].map(|partition| stored(&brokers, "alerts", partition));
    assert!(partitions.iter().all(|records| records.len() > 20), "ids spread over partitions");
    let mut all = BTreeSet::new();
    for records in &partitions {
        assert!(records.iter().all(|(key, number)| *key == format!("{number:032x}")));
        let mut newest: Vec<usize> =
            records.iter().map(|(_, number)| *number).filter(|number| all.insert(*number)).collect();
        assert!(newest.is_sorted(), "in order within a partition");
        newest.clear();
    }
    assert_eq!(all, (0..80).collect());
}
