//! `baton demo`

use super::context::Context;
use super::{Done, Failure};
use crate::demo::{self, Arguments as DemoArguments};

pub(crate) use crate::demo::Arguments;

pub(crate) async fn run(
    mut context: Context,
    arguments: DemoArguments,
    own_folder: bool,
) -> Result<Done, Failure> {
    if !own_folder {
        // A demo never mixes with real data.
        context.config.data_dir = demo::FOLDER.into();
    }
    demo::run(context.config, context.output, arguments).await
}
