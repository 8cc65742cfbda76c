module @tarn {
func.func public @main(%arg0: tensor<4x3xf32>, %arg1: tensor<4x3xf64>, %step: tensor<i64> {tf.aliasing_output = 2 : i32}) -> (tensor<3x3xf32>, tensor<3x3xf64>, tensor<i64>) {
  %v1 = stablehlo.transpose %arg0, dims = [1, 0] : (tensor<4x3xf32>) -> tensor<3x4xf32>
  %v2 = stablehlo.broadcast_in_dim %v1, dims = [0, 1] : (tensor<3x4xf32>) -> tensor<3x4xf32>
  %v3 = stablehlo.convert %v2 : (tensor<3x4xf32>) -> tensor<3x4xbf16>
  %v4 = stablehlo.convert %arg0 : (tensor<4x3xf32>) -> tensor<4x3xbf16>
  %v5 = stablehlo.dot_general %v3, %v4, batching_dims = [] x [], contracting_dims = [1] x [0], precision = [DEFAULT, DEFAULT] : (tensor<3x4xbf16>, tensor<4x3xbf16>) -> tensor<3x3xf32>
  %v6 = stablehlo.transpose %arg1, dims = [1, 0] : (tensor<4x3xf64>) -> tensor<3x4xf64>
  %v7 = stablehlo.broadcast_in_dim %v6, dims = [0, 1] : (tensor<3x4xf64>) -> tensor<3x4xf64>
  %v8 = stablehlo.dot_general %v7, %arg1, batching_dims = [] x [], contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<3x4xf64>, tensor<4x3xf64>) -> tensor<3x3xf64>
  %v9 = stablehlo.constant dense<1> : tensor<i64>
  %v10 = stablehlo.add %step, %v9 : tensor<i64>
  return %v5, %v8, %v10 : tensor<3x3xf32>, tensor<3x3xf64>, tensor<i64>
}
}
