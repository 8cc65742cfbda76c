module @tarn {
func.func public @main(%arg0: tensor<3x2xf32> {tf.aliasing_output = 0 : i32}, %arg1: tensor<4x3xf32>, %step: tensor<i64> {tf.aliasing_output = 2 : i32}) -> (tensor<3x2xf32>, tensor<f32>, tensor<i64>, tensor<2xi1>) {
  %v1 = stablehlo.dot_general %arg1, %arg0, batching_dims = [] x [], contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x3xf32>, tensor<3x2xf32>) -> tensor<4x2xf32>
  %v2 = stablehlo.multiply %v1, %v1 : tensor<4x2xf32>
  %v3 = stablehlo.constant dense<0x00000000> : tensor<f32>
  %v4 = stablehlo.reduce(%v2 init: %v3) applies stablehlo.add across dimensions = [0, 1] : (tensor<4x2xf32>, tensor<f32>) -> tensor<f32>
  %v5 = stablehlo.constant dense<0x3E000000> : tensor<f32>
  %v6 = stablehlo.multiply %v4, %v5 : tensor<f32>
  %v7 = stablehlo.reshape %v5 : (tensor<f32>) -> tensor<1x1xf32>
  %v8 = stablehlo.reshape %v7 : (tensor<1x1xf32>) -> tensor<f32>
  %v9 = stablehlo.broadcast_in_dim %v8, dims = [] : (tensor<f32>) -> tensor<4x2xf32>
  %v10 = stablehlo.constant dense<0x40000000> : tensor<f32>
  %v11 = stablehlo.broadcast_in_dim %v10, dims = [] : (tensor<f32>) -> tensor<4x2xf32>
  %v12 = stablehlo.multiply %v1, %v11 : tensor<4x2xf32>
  %v13 = stablehlo.multiply %v9, %v12 : tensor<4x2xf32>
  %v14 = stablehlo.dot_general %arg1, %v13, batching_dims = [] x [], contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x3xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  %v15 = stablehlo.constant dense<0x3DCCCCCD> : tensor<f32>
  %v16 = stablehlo.broadcast_in_dim %v15, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
  %v17 = stablehlo.multiply %v14, %v16 : tensor<3x2xf32>
  %v18 = stablehlo.subtract %arg0, %v17 : tensor<3x2xf32>
  %v19 = stablehlo.is_finite %v6 : (tensor<f32>) -> tensor<i1>
  %v20 = stablehlo.is_finite %v18 : (tensor<3x2xf32>) -> tensor<3x2xi1>
  %v21 = stablehlo.is_finite %arg0 : (tensor<3x2xf32>) -> tensor<3x2xi1>
  %v22 = stablehlo.not %v21 : tensor<3x2xi1>
  %v23 = stablehlo.or %v20, %v22 : tensor<3x2xi1>
  %v24 = stablehlo.constant dense<true> : tensor<i1>
  %v25 = stablehlo.reduce(%v23 init: %v24) applies stablehlo.and across dimensions = [0, 1] : (tensor<3x2xi1>, tensor<i1>) -> tensor<i1>
  %v26 = stablehlo.constant dense<1> : tensor<i64>
  %v27 = stablehlo.add %step, %v26 : tensor<i64>
  %v28 = stablehlo.reshape %v19 : (tensor<i1>) -> tensor<1xi1>
  %v29 = stablehlo.reshape %v25 : (tensor<i1>) -> tensor<1xi1>
  %v30 = stablehlo.concatenate %v28, %v29, dim = 0 : (tensor<1xi1>, tensor<1xi1>) -> tensor<2xi1>
  %v31:1 = stablehlo.optimization_barrier %v30 : tensor<2xi1>
  %v32 = stablehlo.constant dense<true> : tensor<i1>
  %v33 = stablehlo.reduce(%v31#0 init: %v32) applies stablehlo.and across dimensions = [0] : (tensor<2xi1>, tensor<i1>) -> tensor<i1>
  %v34 = stablehlo.select %v33, %v18, %arg0 : tensor<i1>, tensor<3x2xf32>
  %v35 = stablehlo.select %v33, %v27, %step : tensor<i1>, tensor<i64>
  return %v34, %v6, %v35, %v31#0 : tensor<3x2xf32>, tensor<f32>, tensor<i64>, tensor<2xi1>
}
}
