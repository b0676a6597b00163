package dev.halftone.config.schema;

import dev.halftone.config.Foreign;

/// The whole configuration of a recipe.
///
/// Its annotations say what every recipe accepts of the blocks that torchtune's files have and `checkpoint_dir`
/// stands for here. What of them has a meaning, `checkpointer.checkpoint_dir` for one, is another name of a recipe's
/// own key.
@Foreign(
        value = {"model.lora_*", "model.apply_lora_*", "model.use_dora", "model.quantize_base"},
        why = "this recipe trains no adapters of that kind",
        harmless = {})
@Foreign(value = "model.attn_dropout", why = "there is no dropout", harmless = "0.0")
@Foreign(value = "model", why = "config.json in checkpoint_dir says what the model is")
@Foreign(
        value = {"tokenizer.prompt_template", "tokenizer.special_tokens_path"},
        why = "tokenizer.json and the chat template in checkpoint_dir are used",
        harmless = {})
@Foreign(value = "tokenizer", why = "tokenizer.json in checkpoint_dir is used")
@Foreign(
        value = "checkpointer._component_",
        why = "checkpoint_dir is a Hugging Face folder",
        harmless = "FullModelHFCheckpointer")
@Foreign(
        value = {"checkpointer.recipe_checkpoint", "checkpointer.adapter_checkpoint"},
        why = "a run resumes from the newest step in its output_dir",
        harmless = {})
@Foreign(value = "checkpointer.safe_serialization", why = "weights are written as safetensors", harmless = "true")
@Foreign(value = "checkpointer.enable_dcp", why = "weights are written as safetensors", harmless = "false")
@Foreign(
        value = {"checkpointer.checkpoint_files", "checkpointer.model_type", "checkpointer.should_load_recipe_state"},
        why = "the folder's own index says which files belong to the model")
@Foreign(value = "log_level", why = "use --debug for more")
@Foreign(value = "cudnn_deterministic_mode", why = "the same seed gives the same result anyway")
public sealed interface RecipeConfig
        permits FinetuneConfig, MergeConfig, QuantizeConfig, ExportConfig, EvalConfig, GenerateConfig {}
