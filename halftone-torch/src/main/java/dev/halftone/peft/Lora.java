package dev.halftone.peft;

import dev.halftone.DType;
import dev.halftone.kernel.Products;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Weight;
import dev.halftone.nn.WeightTransform;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The low-rank adapter of one weight.
///
/// `d` is the dtype of the weight, `⌊·⌉` rounds to it:
///
///     V = ⌊W + ⌊⌊s·B⌉ · A⌉⌉
///     DoRA: V' = ⌊V · m / ‖V‖⌉, the norm over each row in float32, constant in the gradient (Liu et al., section 4.3)
///
/// [#forward] is this sum, the only place that computes it: training in the MERGED form, saving and converting all call
/// it, so that what is trained is what is shipped. PEFT 0.18 merges in the same order.
public final class Lora implements WeightTransform {
    /// PEFT's names, relative to the layer.
    public static final String A = "lora_A.weight";

    public static final String B = "lora_B.weight";
    public static final String MAGNITUDE = "lora_magnitude_vector";

    private final LoraSettings settings;
    private final Parameter a_RK;
    private final Parameter b_NR;
    private final @Nullable Parameter magnitude_N;

    /// @param weight the one that is adapted; factors get its dtype and that of its products
    /// @param a_RK first factor
    /// @param b_NR second factor
    /// @param magnitude_N of the rows; null where the settings have no DoRA
    Lora(LoraSettings settings, Weight weight, Tensor a_RK, Tensor b_NR, @Nullable Tensor magnitude_N) {
        this(
                settings,
                parameter(a_RK, weight),
                parameter(b_NR, weight),
                magnitude_N == null ? null : parameter(magnitude_N, weight));
    }

    private Lora(LoraSettings settings, Parameter a_RK, Parameter b_NR, @Nullable Parameter magnitude_N) {
        this.settings = settings;
        this.a_RK = a_RK;
        this.b_NR = b_NR;
        this.magnitude_N = magnitude_N;
    }

    /// The same factors in the merged form.
    Lora merged() {
        return new Lora(settings.merged(), a_RK, b_NR, magnitude_N);
    }

    private static Parameter parameter(Tensor values, Weight weight) {
        Parameter p = new Parameter(Ops.to(values, weight.dtype()));
        p.setComputeDtype(weight.computeDtype());
        p.setTrainable(true);
        return p;
    }

    public LoraSettings settings() {
        return settings;
    }

    @Override
    public boolean active() {
        return settings.form() == LoraSettings.Form.MERGED;
    }

    @Override
    public Map<String, Parameter> parameters() {
        Map<String, Parameter> all = new LinkedHashMap<>();
        all.put(A, a_RK);
        all.put(B, b_NR);
        if (magnitude_N != null) {
            all.put(MAGNITUDE, magnitude_N);
        }
        return all;
    }

    @Override
    public Tensor forward(Tensor w_NK, boolean trains) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor v_NK = summed(w_NK);
            return scope.keep(
                    magnitude_N == null
                            ? v_NK
                            : Ops.to(Ops.to(v_NK, DType.F32).mul(rowFactors(v_NK, magnitude_N)), Torch.dtype(w_NK)));
        }
    }

    @Override
    public Tensor backward(Supplier<Tensor> w_NK, Tensor gradient_NK) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor g_NK = gradient_NK;
            if (magnitude_N != null) {
                Tensor v_NK = summed(w_NK.get());
                Tensor g32_NK = Ops.to(g_NK, DType.F32);
                Tensor v32_NK = Ops.to(v_NK, DType.F32);
                Tensor slope_N = g32_NK.mul(v32_NK).sum(1).div(norms(v_NK).squeeze(-1));
                magnitude_N.addGradient(scope.keep(Ops.to(slope_N, magnitude_N.dtype())));
                g_NK = Ops.to(g32_NK.mul(rowFactors(v_NK, magnitude_N)), Torch.dtype(v_NK));
            }
            Tensor scaledB_NR = Ops.mul(b_NR.master().detach(), settings.scaling());
            a_RK.addGradient(scope.keep(Products.matmul(scaledB_NR.t(), g_NK)));
            Tensor gB_NR = Products.linear(g_NK, a_RK.master().detach(), null);
            b_NR.addGradient(scope.keep(Ops.mul(gB_NR, settings.scaling())));
            return scope.keep(g_NK);
        }
    }

    /// What a branch beside the weight adds to its product.
    ///
    /// @param x `[…, K]` in the dtype of the product
    /// @return `[…, N]`
    Tensor branch(Tensor x) {
        Tensor in = settings.dropout() > 0 && NoGrad.trains() ? Ops.dropout(x, settings.dropout()) : x;
        Tensor low = Products.linear(in, a_RK.value(), null);
        return Ops.mul(Products.linear(low, b_NR.value(), null), settings.scaling());
    }

    /// `W + s·B·A`.
    private Tensor summed(Tensor w_NK) {
        Tensor scaledB_NR = Ops.mul(b_NR.master().detach(), settings.scaling());
        return w_NK.add(Products.matmul(scaledB_NR, a_RK.master().detach()));
    }

    /// `m / ‖V‖`, `[N, 1]` in float32.
    private static Tensor rowFactors(Tensor v_NK, Parameter magnitude_N) {
        return Ops.to(magnitude_N.master().detach(), DType.F32).unsqueeze(1).div(norms(v_NK));
    }

    /// The L2 norms of rows, `[N, 1]` in float32.
    static Tensor norms(Tensor v_NK) {
        Tensor v32_NK = Ops.to(v_NK, DType.F32);
        return v32_NK.mul(v32_NK).sum(1).sqrt().unsqueeze(1);
    }
}
