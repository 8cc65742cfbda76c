module @tarn {
func.func public @main(%arg0: tensor<3x2xf32> {tf.aliasing_output = 2 : i32}, %arg1: tensor<16384x2xf32> {tf.aliasing_output = 0 : i32}, %arg2: tensor<3x2xf32> {tf.aliasing_output = 1 : i32}, %arg3: tensor<4x3xf32>, %step: tensor<i64> {tf.aliasing_output = 4 : i32}) -> (tensor<16384x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<f32>, tensor<i64>, tensor<4xi1>) {
  %v1 = stablehlo.dot_general %arg3, %arg0, batching_dims = [] x [], contracting_dims = [1] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x3xf32>, tensor<3x2xf32>) -> tensor<4x2xf32>
  %v2 = stablehlo.constant dense<0x00000000> : tensor<f32>
  %v3 = stablehlo.reduce(%arg1 init: %v2) applies stablehlo.add across dimensions = [0, 1] : (tensor<16384x2xf32>, tensor<f32>) -> tensor<f32>
  %v4 = stablehlo.constant dense<0x38000000> : tensor<f32>
  %v5 = stablehlo.multiply %v3, %v4 : tensor<f32>
  %v6 = stablehlo.broadcast_in_dim %v5, dims = [] : (tensor<f32>) -> tensor<4x2xf32>
  %v7 = stablehlo.add %v1, %v6 : tensor<4x2xf32>
  %v8 = stablehlo.multiply %v7, %v7 : tensor<4x2xf32>
  %v9 = stablehlo.constant dense<0x00000000> : tensor<f32>
  %v10 = stablehlo.reduce(%v8 init: %v9) applies stablehlo.add across dimensions = [0, 1] : (tensor<4x2xf32>, tensor<f32>) -> tensor<f32>
  %v11 = stablehlo.constant dense<0x3E000000> : tensor<f32>
  %v12 = stablehlo.multiply %v10, %v11 : tensor<f32>
  %v13 = stablehlo.reshape %v11 : (tensor<f32>) -> tensor<1x1xf32>
  %v14 = stablehlo.reshape %v13 : (tensor<1x1xf32>) -> tensor<f32>
  %v15 = stablehlo.broadcast_in_dim %v14, dims = [] : (tensor<f32>) -> tensor<4x2xf32>
  %v16 = stablehlo.constant dense<0x40000000> : tensor<f32>
  %v17 = stablehlo.broadcast_in_dim %v16, dims = [] : (tensor<f32>) -> tensor<4x2xf32>
  %v18 = stablehlo.multiply %v7, %v17 : tensor<4x2xf32>
  %v19 = stablehlo.multiply %v15, %v18 : tensor<4x2xf32>
  %v20 = stablehlo.constant dense<0x00000000> : tensor<f32>
  %v21 = stablehlo.reduce(%v19 init: %v20) applies stablehlo.add across dimensions = [0, 1] : (tensor<4x2xf32>, tensor<f32>) -> tensor<f32>
  %v22 = stablehlo.multiply %v21, %v4 : tensor<f32>
  %v23 = stablehlo.reshape %v22 : (tensor<f32>) -> tensor<1x1xf32>
  %v24 = stablehlo.reshape %v23 : (tensor<1x1xf32>) -> tensor<f32>
  %v25 = stablehlo.broadcast_in_dim %v24, dims = [] : (tensor<f32>) -> tensor<16384x2xf32>
  %v26 = stablehlo.dot_general %arg3, %v19, batching_dims = [] x [], contracting_dims = [0] x [0], precision = [HIGHEST, HIGHEST] : (tensor<4x3xf32>, tensor<4x2xf32>) -> tensor<3x2xf32>
  %v27 = stablehlo.constant dense<0x3F666666> : tensor<f32>
  %v28 = stablehlo.broadcast_in_dim %v27, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
  %v29 = stablehlo.multiply %arg2, %v28 : tensor<3x2xf32>
  %v30 = stablehlo.add %v29, %v26 : tensor<3x2xf32>
  %v31 = stablehlo.subtract %arg1, %v25 : tensor<16384x2xf32>
  %v32 = stablehlo.constant dense<0x3DCCCCCD> : tensor<f32>
  %v33 = stablehlo.broadcast_in_dim %v32, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
  %v34 = stablehlo.multiply %v30, %v33 : tensor<3x2xf32>
  %v35 = stablehlo.subtract %arg0, %v34 : tensor<3x2xf32>
  %v36 = stablehlo.is_finite %v12 : (tensor<f32>) -> tensor<i1>
  %v37 = stablehlo.is_finite %v31 : (tensor<16384x2xf32>) -> tensor<16384x2xi1>
  %v38 = stablehlo.is_finite %arg1 : (tensor<16384x2xf32>) -> tensor<16384x2xi1>
  %v39 = stablehlo.not %v38 : tensor<16384x2xi1>
  %v40 = stablehlo.or %v37, %v39 : tensor<16384x2xi1>
  %v41 = stablehlo.constant dense<true> : tensor<i1>
  %v42 = stablehlo.reduce(%v40 init: %v41) applies stablehlo.and across dimensions = [0, 1] : (tensor<16384x2xi1>, tensor<i1>) -> tensor<i1>
  %v43 = stablehlo.reshape %v36 : (tensor<i1>) -> tensor<1xi1>
  %v44 = stablehlo.reshape %v42 : (tensor<i1>) -> tensor<1xi1>
  %v45 = stablehlo.concatenate %v43, %v44, dim = 0 : (tensor<1xi1>, tensor<1xi1>) -> tensor<2xi1>
  %v46:1 = stablehlo.optimization_barrier %v45 : tensor<2xi1>
  %v47 = stablehlo.constant dense<true> : tensor<i1>
  %v48 = stablehlo.reduce(%v46#0 init: %v47) applies stablehlo.and across dimensions = [0] : (tensor<2xi1>, tensor<i1>) -> tensor<i1>
  %v49:4 = call @update(%v48, %arg2, %v26, %arg0) {mhlo.frontend_attributes = {inlineable = "false", xla_cpu_small_call = "true"}} : (tensor<i1>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>, tensor<i1>, tensor<i1>)
  %v50 = stablehlo.constant dense<1> : tensor<i64>
  %v51 = stablehlo.add %step, %v50 : tensor<i64>
  %v52 = stablehlo.reshape %v36 : (tensor<i1>) -> tensor<1xi1>
  %v53 = stablehlo.reshape %v42 : (tensor<i1>) -> tensor<1xi1>
  %v54 = stablehlo.reshape %v49#2 : (tensor<i1>) -> tensor<1xi1>
  %v55 = stablehlo.reshape %v49#3 : (tensor<i1>) -> tensor<1xi1>
  %v56 = stablehlo.concatenate %v52, %v53, %v54, %v55, dim = 0 : (tensor<1xi1>, tensor<1xi1>, tensor<1xi1>, tensor<1xi1>) -> tensor<4xi1>
  %v57:1 = stablehlo.optimization_barrier %v56 : tensor<4xi1>
  %v58 = stablehlo.constant dense<true> : tensor<i1>
  %v59 = stablehlo.reduce(%v57#0 init: %v58) applies stablehlo.and across dimensions = [0] : (tensor<4xi1>, tensor<i1>) -> tensor<i1>
  %v60 = stablehlo.select %v59, %v31, %arg1 : tensor<i1>, tensor<16384x2xf32>
  %v61 = stablehlo.select %v59, %v51, %step : tensor<i1>, tensor<i64>
  return %v60, %v49#0, %v49#1, %v12, %v61, %v57#0 : tensor<16384x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<f32>, tensor<i64>, tensor<4xi1>
}
func.func private @update(%arg0: tensor<i1>, %arg1: tensor<3x2xf32>, %arg2: tensor<3x2xf32>, %arg3: tensor<3x2xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>, tensor<i1>, tensor<i1>) {
  %v1 = stablehlo.constant dense<0x3F666666> : tensor<f32>
  %v2 = stablehlo.broadcast_in_dim %v1, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
  %v3 = stablehlo.multiply %arg1, %v2 : tensor<3x2xf32>
  %v4 = stablehlo.add %v3, %arg2 : tensor<3x2xf32>
  %v5 = stablehlo.constant dense<0x3DCCCCCD> : tensor<f32>
  %v6 = stablehlo.broadcast_in_dim %v5, dims = [] : (tensor<f32>) -> tensor<3x2xf32>
  %v7 = stablehlo.multiply %v4, %v6 : tensor<3x2xf32>
  %v8 = stablehlo.subtract %arg3, %v7 : tensor<3x2xf32>
  %v9 = stablehlo.is_finite %v4 : (tensor<3x2xf32>) -> tensor<3x2xi1>
  %v10 = stablehlo.is_finite %arg1 : (tensor<3x2xf32>) -> tensor<3x2xi1>
  %v11 = stablehlo.not %v10 : tensor<3x2xi1>
  %v12 = stablehlo.or %v9, %v11 : tensor<3x2xi1>
  %v13 = stablehlo.constant dense<true> : tensor<i1>
  %v14 = stablehlo.reduce(%v12 init: %v13) applies stablehlo.and across dimensions = [0, 1] : (tensor<3x2xi1>, tensor<i1>) -> tensor<i1>
  %v15 = stablehlo.is_finite %v8 : (tensor<3x2xf32>) -> tensor<3x2xi1>
  %v16 = stablehlo.is_finite %arg3 : (tensor<3x2xf32>) -> tensor<3x2xi1>
  %v17 = stablehlo.not %v16 : tensor<3x2xi1>
  %v18 = stablehlo.or %v15, %v17 : tensor<3x2xi1>
  %v19 = stablehlo.constant dense<true> : tensor<i1>
  %v20 = stablehlo.reduce(%v18 init: %v19) applies stablehlo.and across dimensions = [0, 1] : (tensor<3x2xi1>, tensor<i1>) -> tensor<i1>
  %v21 = stablehlo.reshape %arg0 : (tensor<i1>) -> tensor<1xi1>
  %v22 = stablehlo.reshape %v14 : (tensor<i1>) -> tensor<1xi1>
  %v23 = stablehlo.reshape %v20 : (tensor<i1>) -> tensor<1xi1>
  %v24 = stablehlo.concatenate %v21, %v22, %v23, dim = 0 : (tensor<1xi1>, tensor<1xi1>, tensor<1xi1>) -> tensor<3xi1>
  %v25:1 = stablehlo.optimization_barrier %v24 : tensor<3xi1>
  %v26 = stablehlo.constant dense<true> : tensor<i1>
  %v27 = stablehlo.reduce(%v25#0 init: %v26) applies stablehlo.and across dimensions = [0] : (tensor<3xi1>, tensor<i1>) -> tensor<i1>
  %v28 = stablehlo.select %v27, %v4, %arg1 : tensor<i1>, tensor<3x2xf32>
  %v29 = stablehlo.select %v27, %v8, %arg3 : tensor<i1>, tensor<3x2xf32>
  return %v28, %v29, %v14, %v20 : tensor<3x2xf32>, tensor<3x2xf32>, tensor<i1>, tensor<i1>
}
}
