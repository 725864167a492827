"""Prints the sizes of what ONNX Runtime computes when it loads a model: fold.py MODEL.onnx"""
import onnx,sys,numpy,onnxruntime as o
m=onnx.load(sys.argv[1]); g=m.graph
k={i.name for i in g.initializer}-{i.name for i in g.input}
nodes=[]
for n in g.node:
    if all(x in k or x=='' for x in n.input) and n.op_type not in('Loop','If','Scan'): nodes.append(n); k|=set(n.output)
outs=[x for n in nodes for x in n.output]
kind={x:n.op_type for n in nodes for x in n.output}
used={x for n in nodes for x in n.input}
g2=onnx.helper.make_graph(nodes,'f',[],[onnx.ValueInfoProto(name=x) for x in outs],[i for i in g.initializer if i.name in used])
m2=onnx.helper.make_model(g2,opset_imports=m.opset_import,ir_version=m.ir_version)
s=o.SessionOptions(); s.graph_optimization_level=o.GraphOptimizationLevel.ORT_DISABLE_ALL; s.log_severity_level=3
S=o.InferenceSession(m2.SerializeToString(),s)
r=S.run(None,{})
for v,x in sorted(zip(r,outs),key=lambda t:-t[0].nbytes)[:14]: print(kind[x],x,v.shape,v.dtype,'%.1f MB'%(v.nbytes/1e6))
print('total %.0f MB'%(sum(v.nbytes for v in r)/1e6))
