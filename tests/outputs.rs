//! Outputs against real peers on loopback: what arrives, in which order, after outages, refusals, full disks, full queues and `kill -9`.

#[path = "outputs/crash.rs"]
mod crash;
#[path = "outputs/http.rs"]
mod http;
#[path = "outputs/local.rs"]
mod local;
#[path = "outputs/nats.rs"]
mod nats;
#[path = "outputs/peers.rs"]
mod peers;
#[path = "outputs/syslog.rs"]
mod syslog;
