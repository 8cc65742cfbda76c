module @tarn {
func.func public @main(%arg0: tensor<4xf32>, %step: tensor<i64> {tf.aliasing_output = 1 : i32}) -> (tensor<4xf32>, tensor<i64>) {
  %v1 = stablehlo.constant dense<0x3F800000> : tensor<f32>
  %v2 = stablehlo.reshape %v1 : (tensor<f32>) -> tensor<1xf32>
  %v3 = stablehlo.reshape %v2 : (tensor<1xf32>) -> tensor<f32>
  %v4 = stablehlo.broadcast_in_dim %v3, dims = [] : (tensor<f32>) -> tensor<4xf32>
  %v5:2 = stablehlo.optimization_barrier %arg0, %v4 : tensor<4xf32>, tensor<4xf32>
  %v6 = stablehlo.exponential %v5#0 : tensor<4xf32>
  %v7 = stablehlo.cosine %v6 : tensor<4xf32>
  %v8 = stablehlo.multiply %v7, %v6 : tensor<4xf32>
  %v9 = stablehlo.constant dense<1> : tensor<i64>
  %v10 = stablehlo.add %step, %v9 : tensor<i64>
  return %v8, %v10 : tensor<4xf32>, tensor<i64>
}
}
