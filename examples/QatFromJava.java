/// Quantization-aware training from Java, without a configuration file: train a small model against int3 weights, convert
/// it, and see that nothing changed on the way.
///
/// From the root of a clone (`./halftone --version` builds it first):
///
/// ```
/// java --add-modules jdk.incubator.vector --enable-native-access=ALL-UNNAMED \
///     -cp "halftone-cli/target/classes:$(cat halftone-cli/target/classpath.txt)" \
///     examples/QatFromJava.java quickstart/base-model quickstart/text/finetune/1961_john_f_kennedy_d.txt artifact
/// ```

import dev.halftone.DType;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Targets;
import dev.halftone.optim.AdamW;
import dev.halftone.optim.Gradients;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import dev.halftone.torch.Device;

static final int WINDOW = 128;
static final int STEPS = 20;

void main(String[] args) throws Exception {
    Path checkpoint = Path.of(args[0]);
    String text = Files.readString(Path.of(args[1]));
    Path artifact = Path.of(args[2]);

    CausalLm model = Checkpoints.load(checkpoint, DType.F32, Device.CPU);
    int[] ids;
    try (Tokenizer tokenizer = Tokenizers.load(checkpoint)) {
        ids = tokenizer.encode(text, false);
    }

    // int3 weights, 32 neighbours sharing a scale, activations in float; the head stays in float.
    IntxScheme int3 = new IntxScheme(3, new Granularity.PerGroup(32), false, Numerics.TORCHAO);
    Qat.prepare(model, QuantizationPlan.of(int3).excluding("lm_head"));

    Map<String, Parameter> parameters = model.namedParameters();
    parameters.values().forEach(p -> p.setTrainable(true));
    try (AdamW optimizer = new AdamW(parameters, AdamW.Settings.DEFAULT, 1)) {
        for (int step = 0; step < STEPS; step++) {
            int[] window = Arrays.copyOfRange(ids, step * WINDOW, (step + 1) * WINDOW);
            Targets targets = Targets.shifted(1, WINDOW, window);
            double sum = model.lossAndBackward(Tokens.of(window), targets, targets.count());
            float norm = Gradients.norm(parameters.values());
            optimizer.step(1e-3, Gradients.clipping(norm, OptionalDouble.of(1.0)));
            Gradients.clear(parameters.values());
            IO.println("step %2d  loss %.4f".formatted(step + 1, sum / targets.count()));
        }
    }

    int[] probe = Arrays.copyOf(ids, WINDOW);
    float[] trained = model.losses(Tokens.of(probe), Targets.shifted(1, WINDOW, probe));

    // Codes and scales replace the float weights, and go to disk. What comes back computes the same numbers.
    int layers = Qat.convert(model).size();
    QuantizedFolders.save(artifact, model, checkpoint, 5L << 30);
    CausalLm deployed = Checkpoints.load(artifact, DType.F32, Device.CPU);
    float[] shipped = deployed.losses(Tokens.of(probe), Targets.shifted(1, WINDOW, probe));
    IO.println("%d layers quantized to %s; the artifact computes %s numbers as the trained model"
            .formatted(layers, int3.label(), Arrays.equals(trained, shipped) ? "the same" : "OTHER"));
}
