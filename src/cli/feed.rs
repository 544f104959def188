//! `picket feed`.
/// Arguments.
#[derive(clap::Args)]
pub struct FeedArgs {}
/// Runs.
///
/// # Errors
/// None.
pub fn run(_: &FeedArgs) -> anyhow::Result<std::process::ExitCode> {
    Ok(std::process::ExitCode::SUCCESS)
}
