module @tarn {
func.func public @main(%arg0: tensor<5x2xf64>, %arg1: tensor<3xi32>, %step: tensor<i64> {tf.aliasing_output = 1 : i32}) -> (tensor<2xf64>, tensor<i64>, tensor<1xi1>) {
  %v1 = stablehlo.constant dense<"0x00000000000000000000000000000000"> : tensor<2xf64>
  %v2 = stablehlo.constant dense<0> : tensor<i64>
  %v3 = stablehlo.constant dense<true> : tensor<i1>
  %v4:3 = stablehlo.while(%s4_0 = %v2, %s4_1 = %v1, %s4_2 = %v3) : tensor<i64>, tensor<2xf64>, tensor<i1>
  cond {
  %v5 = stablehlo.constant dense<3> : tensor<i64>
  %v6 = stablehlo.compare LT, %s4_0, %v5 : (tensor<i64>, tensor<i64>) -> tensor<i1>
  stablehlo.return %v6 : tensor<i1>
  } do {
  %v7 = stablehlo.dynamic_slice %arg1, %s4_0, sizes = [1] : (tensor<3xi32>, tensor<i64>) -> tensor<1xi32>
  %v8 = stablehlo.reshape %v7 : (tensor<1xi32>) -> tensor<i32>
  %v9 = stablehlo.constant dense<0> : tensor<i32>
  %v10 = stablehlo.compare GE, %v8, %v9 : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %v11 = stablehlo.constant dense<5> : tensor<i32>
  %v12 = stablehlo.compare LT, %v8, %v11 : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %v13 = stablehlo.and %v10, %v12 : tensor<i1>
  %v14 = stablehlo.reshape %v8 : (tensor<i32>) -> tensor<1xi32>
  %v15 = "stablehlo.gather"(%arg0, %v14) {dimension_numbers = #stablehlo.gather<offset_dims = [0], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 0>, slice_sizes = array<i64: 1, 2>} : (tensor<5x2xf64>, tensor<1xi32>) -> tensor<2xf64>
  %v16 = stablehlo.constant dense<0> : tensor<i32>
  %v17 = stablehlo.compare GE, %v8, %v16 : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %v18 = stablehlo.constant dense<5> : tensor<i32>
  %v19 = stablehlo.compare LT, %v8, %v18 : (tensor<i32>, tensor<i32>) -> tensor<i1>
  %v20 = stablehlo.and %v17, %v19 : tensor<i1>
  %v21 = stablehlo.broadcast_in_dim %v20, dims = [] : (tensor<i1>) -> tensor<2xi1>
  %v22 = stablehlo.constant dense<0x7FF8000000000000> : tensor<2xf64>
  %v23 = stablehlo.select %v21, %v15, %v22 : tensor<2xi1>, tensor<2xf64>
  %v24 = stablehlo.add %s4_1, %v23 : tensor<2xf64>
  %v25 = stablehlo.and %v13, %s4_2 : tensor<i1>
  %v26 = stablehlo.constant dense<1> : tensor<i64>
  %v27 = stablehlo.add %s4_0, %v26 : tensor<i64>
  stablehlo.return %v27, %v24, %v25 : tensor<i64>, tensor<2xf64>, tensor<i1>
  }
  %v28 = stablehlo.constant dense<1> : tensor<i64>
  %v29 = stablehlo.add %step, %v28 : tensor<i64>
  %v30 = stablehlo.reshape %v4#2 : (tensor<i1>) -> tensor<1xi1>
  %v31 = stablehlo.concatenate %v30, dim = 0 : (tensor<1xi1>) -> tensor<1xi1>
  %v32:1 = stablehlo.optimization_barrier %v31 : tensor<1xi1>
  %v33 = stablehlo.constant dense<true> : tensor<i1>
  %v34 = stablehlo.reduce(%v32#0 init: %v33) applies stablehlo.and across dimensions = [0] : (tensor<1xi1>, tensor<i1>) -> tensor<i1>
  %v35 = stablehlo.select %v34, %v29, %step : tensor<i1>, tensor<i64>
  return %v4#1, %v35, %v32#0 : tensor<2xf64>, tensor<i64>, tensor<1xi1>
}
}
